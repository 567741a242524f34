/**
 * What a member's Pod is beside the server in it: `spec.pod`, `spec.image`, `spec.probes`. Parts that Kubernetes defines
 * are either known here, where they are small and settled, or handed on.
 */
import { MAX_QUANTITY_LENGTH } from "../quantity.ts";
import { annotations, labelKey, labels, labelValue, nameOf, objectName, shortName } from "./leaves.ts";
import {
  asPassed,
  integer,
  list,
  map,
  mapList,
  numberOrText,
  object,
  oneOf,
  passedOn,
  type Rule,
  string,
} from "./node.ts";

/** Names of volumes and containers that the operator gives. */
const RESERVED_RULE: Rule = {
  rule: "!(self in ['data', 'etcd']) && !self.startsWith('kvorum-')",
  message: "data, etcd and names that begin with kvorum- are the operator's: choose another name",
  reason: "FieldValueForbidden",
};

const repository = string(
  "Registry and path without a tag, as the tag is the version; the operator's default when absent.",
  {
    minLength: 1,
    maxLength: 255,
    rules: [
      {
        rule: "!self.contains('@') && !self.matches(':[^/]*$')",
        message: "give the repository without tag and digest: spec.version is the tag, image.digest the digest",
      },
      {
        rule: "self.matches('^[a-zA-Z0-9][a-zA-Z0-9._-]*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[^/]*|@.*)?$')",
        message: "must be a repository such as registry.example.com/team/kvorum",
      },
    ],
  },
);

/** `spec.image`. */
export const image = object("Where the server's image comes from.", {
  change: "rolls",
  maybe: {
    repository,
    digest: string("Exactly this image, whatever the tag; it must be of spec.version.", {
      maxLength: 71,
      pattern: "^sha256:[0-9a-f]{64}$",
    }),
    pullPolicy: oneOf("When it is pulled; Kubernetes' default when absent.", ["Always", "IfNotPresent", "Never"]),
    pullSecrets: mapList("Secrets for the registry.", ["name"], nameOf("A Secret"), { maxItems: 8 }),
  },
});

const AMOUNT = "^[0-9]{1,15}(\\.[0-9]{1,9})?([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?$";

const amounts = (description: string) =>
  map(description, numberOrText("How much.", AMOUNT, MAX_QUANTITY_LENGTH), { maxProperties: 16 });

const resources = object("Processor, memory and the like of the server.", {
  maybe: {
    requests: amounts("What the scheduler sets aside, by name: cpu, memory, ..."),
    limits: amounts("What the server may take at most, by name: cpu, memory, ..."),
  },
});

const tolerations = list(
  "Taints of nodes that are put up with.",
  asPassed(
    object("One taint.", {
      maybe: {
        key: labelKey("The taint's key; all keys when absent."),
        operator: oneOf("Whether the value must be the same, or the key be there.", ["Equal", "Exists", "Lt", "Gt"]),
        value: labelValue("The taint's value."),
        effect: oneOf("What the taint does; all when absent.", ["NoSchedule", "PreferNoSchedule", "NoExecute"]),
        tolerationSeconds: integer("For how long, with NoExecute.", { minimum: 0, maximum: 2_147_483_647 }),
      },
    }),
  ),
  { maxItems: 32 },
);

const spread = mapList(
  "How members are spread. When absent: over zones, as far as it goes. An empty list: not at all.",
  ["topologyKey", "whenUnsatisfiable"],
  asPassed(
    object("One constraint of Kubernetes; a labelSelector that is absent is the cluster's.", {
      isPassedOn: true,
      always: {
        maxSkew: integer("How many more members one place may have than another.", { minimum: 1, maximum: 7 }),
        topologyKey: labelKey("Label of nodes that says what a place is."),
        whenUnsatisfiable: oneOf("Whether a member waits when it cannot be met.", ["DoNotSchedule", "ScheduleAnyway"]),
      },
    }),
  ),
  { maxItems: 8 },
);

const SERVER_SETTING: Rule = {
  rule: "!self.startsWith('ETCD_') && !self.startsWith('KVORUM_')",
  message: "the server would read this as a setting: use spec.config or spec.extraArgs",
  reason: "FieldValueForbidden",
};

const env = mapList(
  "Variables of the server's environment, such as NODE_OPTIONS.",
  ["name"],
  asPassed(
    object("One variable; as in a Pod.", {
      always: {
        name: string("Its name.", {
          minLength: 1,
          maxLength: 128,
          pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
          rules: [SERVER_SETTING],
        }),
      },
      maybe: {
        value: string("Its value.", { maxLength: 8192 }),
        valueFrom: passedOn("Where its value comes from; as in a Pod.", { maxProperties: 1 }),
      },
    }),
  ),
  { maxItems: 64 },
);

const optional = { name: objectName("Its name.") };

const envFrom = list(
  "Sources of many variables; as in a Pod.",
  asPassed(
    object("One source.", {
      rules: [
        {
          rule: "[has(self.configMapRef), has(self.secretRef)].exists_one(isGiven, isGiven)",
          message: "give exactly one of configMapRef, secretRef",
        },
      ],
      maybe: {
        prefix: string("Put before each name.", {
          maxLength: 64,
          pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
          rules: [SERVER_SETTING],
        }),
        configMapRef: object("A ConfigMap in the same namespace.", { always: optional }),
        secretRef: object("A Secret in the same namespace.", { always: optional }),
      },
    }),
  ),
  { maxItems: 16 },
);

const extraVolumes = mapList(
  "More volumes; as in a Pod.",
  ["name"],
  asPassed(
    object("One volume: its name, and where it comes from.", {
      isPassedOn: true,
      always: { name: shortName("Its name.", { rules: [RESERVED_RULE] }) },
    }),
  ),
  { maxItems: 16 },
);

const extraVolumeMounts = mapList(
  "Where the server sees more volumes; as in a Pod.",
  ["mountPath"],
  asPassed(
    object("One volume in one place.", {
      isPassedOn: true,
      always: {
        name: shortName("The volume's name."),
        mountPath: string("Where it is seen.", {
          minLength: 2,
          maxLength: 512,
          pattern: "^/[^:]*$",
          rules: [
            {
              rule: "!self.matches('^/var/lib/etcd(/|$)') && !self.matches('^/etc/kvorum(/|$)')",
              message: "/var/lib/etcd and /etc/kvorum are the operator's: mount it elsewhere",
              reason: "FieldValueForbidden",
            },
          ],
        }),
      },
    }),
  ),
  { maxItems: 16 },
);

const sidecars = mapList(
  "More containers; as in a Pod.",
  ["name"],
  asPassed(
    object("One container.", {
      isPassedOn: true,
      always: {
        name: shortName("Its name.", { rules: [RESERVED_RULE] }),
        image: string("Its image.", { minLength: 1, maxLength: 512 }),
      },
    }),
  ),
  { maxItems: 8 },
);

const antiAffinity = object("Whether members keep apart.", {
  default: {},
  always: {
    type: oneOf(
      "If it can be, always (a member then waits for a place), or not at all.",
      ["Preferred", "Required", "None"],
      { default: "Preferred" },
    ),
    topologyKey: labelKey("Label of nodes whose value no two members should share.", {
      default: "kubernetes.io/hostname",
    }),
  },
});

/** `spec.pod`. */
export const pod = object("The members' Pods.", {
  change: "rolls",
  default: {},
  always: {
    antiAffinity,
    terminationGracePeriodSeconds: integer("Seconds that a member has to hand over and end.", {
      default: 60,
      minimum: 5,
      maximum: 3600,
    }),
  },
  maybe: {
    labels: labels("Labels for the Pods."),
    annotations: annotations("Annotations for the Pods."),
    resources: asPassed(resources),
    nodeSelector: map("Labels that a node must have.", labelValue("The label's value."), { maxProperties: 32 }),
    tolerations,
    affinity: passedOn("Beside the rule that antiAffinity makes; as in a Pod.", { maxProperties: 3 }),
    topologySpreadConstraints: spread,
    priorityClassName: objectName("How important the Pods are to the scheduler."),
    serviceAccountName: objectName("The Pods' account; they get no token of it. The namespace's default when absent."),
    podSecurityContext: passedOn("Replaces fields of the Pod's security context that the operator gives.", {
      maxProperties: 32,
    }),
    securityContext: passedOn("Replaces fields of the server's security context that the operator gives.", {
      maxProperties: 32,
    }),
    env,
    envFrom,
    extraVolumes,
    extraVolumeMounts,
    sidecars,
    runtimeClassName: objectName("Which runtime runs the Pods."),
    schedulerName: objectName("Which scheduler places the Pods."),
  },
});

function probe(description: string, defaults: { period: number; timeout: number; failures: number }) {
  return object(description, {
    default: {},
    always: {
      periodSeconds: integer("Seconds between two questions.", { default: defaults.period, minimum: 1, maximum: 3600 }),
      timeoutSeconds: integer("Seconds within which it must answer.", {
        default: defaults.timeout,
        minimum: 1,
        maximum: 600,
      }),
      failureThreshold: integer("How many times in a row it may fail.", {
        default: defaults.failures,
        minimum: 1,
        maximum: 10_000,
      }),
    },
  });
}

/** `spec.probes`. */
export const probes = object("How patient Kubernetes is with a member. What is asked is fixed.", {
  change: "rolls",
  default: {},
  always: {
    startup: probe("Until it has read its log: half an hour.", { period: 10, timeout: 5, failures: 180 }),
    liveness: probe("Whether the process works at all; then it is restarted.", { period: 10, timeout: 5, failures: 8 }),
    readiness: probe("Whether it serves; then no client is led to it.", { period: 5, timeout: 5, failures: 3 }),
  },
});
