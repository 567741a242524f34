/** The whole of `spec`: what a person asks for. */
import { config, extraArgs } from "./config.ts";
import { annotations, duration, labels } from "./leaves.ts";
import { boolean, integer, object, oneOf, string } from "./node.ts";
import { image, pod, probes } from "./pod.ts";
import { service } from "./service.ts";
import { storage } from "./storage.ts";
import { tls } from "./tls.ts";

const replicas = integer(
  "How many members: an odd number, as an even one bears no more failures than the one below it.",
  {
    change: "live",
    default: 3,
    minimum: 1,
    maximum: 7,
    rules: [{ rule: "self % 2 == 1", message: "replicas must be odd: 1, 3, 5 or 7" }],
  },
);

const version = string(
  "Version of the server, and tag of its image. The operator never changes it by itself, and lets it go up one minor at a time.",
  {
    change: "rolls",
    minLength: 5,
    maxLength: 14,
    rules: [
      {
        rule: "self.matches('^(0|[1-9][0-9]{0,3})\\\\.(0|[1-9][0-9]{0,3})\\\\.(0|[1-9][0-9]{0,3})$')",
        message: "version must be three numbers without a v before them, such as 0.1.0",
      },
    ],
  },
);

const disruptionBudget = object("Keeps drains of nodes from taking the quorum.", {
  change: "live",
  default: {},
  always: {
    enabled: boolean("Whether there is one; never with one replica, as it would block every drain.", { default: true }),
    unhealthyPodEvictionPolicy: oneOf(
      "Whether a member that is not ready may be evicted while the others are too few.",
      ["IfHealthyBudget", "AlwaysAllow"],
      { default: "IfHealthyBudget" },
    ),
  },
});

const update = object("How members are replaced when their Pods must change.", {
  change: "live",
  default: {},
  always: {
    strategy: oneOf(
      "One after another by the operator; or each when a person deletes its Pod.",
      ["RollingUpdate", "OnDelete"],
      { default: "RollingUpdate" },
    ),
    minReadySeconds: integer("How long a new Pod must be ready before the next one is touched, in seconds.", {
      default: 10,
      minimum: 0,
      maximum: 3600,
    }),
    memberTimeout: duration("How long one member may take; then the rollout stops where it is.", {
      default: "15m",
      minimum: "10s",
      maximum: "24h",
    }),
  },
});

const repair = object("When a member that failed is replaced by a new one.", {
  change: "live",
  default: {},
  always: {
    mode: oneOf("By the operator, or only when a person asks.", ["Automatic", "Manual"], { default: "Automatic" }),
    unhealthyAfter: duration("How long a member must have been unreachable.", {
      default: "10m",
      minimum: "30s",
      maximum: "168h",
    }),
    unscheduledAfter: duration("How long a member must have found no node.", {
      default: "30m",
      minimum: "30s",
      maximum: "168h",
    }),
    maxPerHour: integer("The most members that are replaced within an hour.", { default: 2, minimum: 1, maximum: 20 }),
  },
});

const inheritedMetadata = object(
  "For every object that the operator makes for the cluster. Its own labels and annotations win.",
  {
    change: "later",
    maybe: { labels: labels("Labels."), annotations: annotations("Annotations.") },
  },
);

/** `spec`. */
export const spec = object("What the cluster is to be.", {
  rules: [
    {
      rule: "!(self.hibernate && has(self.storage.ephemeral))",
      message: "a cluster with ephemeral storage cannot hibernate: its data would be gone",
      fieldPath: ".hibernate",
    },
    {
      rule:
        "!has(self.storage.persistent) || !has(self.config.quotaBackendBytes) || " +
        "!isQuantity(self.storage.persistent.size) || !isQuantity(self.config.quotaBackendBytes) || " +
        "quantity(self.config.quotaBackendBytes).compareTo(quantity(self.storage.persistent.size)) <= 0",
      message: "quotaBackendBytes must not be more than storage.persistent.size: a full volume stops a member",
      fieldPath: ".config.quotaBackendBytes",
    },
  ],
  always: {
    replicas,
    version,
    storage,
    config,
    tls,
    service,
    pod,
    probes,
    disruptionBudget,
    update,
    repair,
    hibernate: boolean("Stops all members; volumes and membership stay, and false wakes them.", {
      change: "live",
      default: false,
    }),
    paused: boolean("The operator looks and reports, and touches nothing.", { change: "live", default: false }),
    deletionProtection: boolean(
      "The cluster cannot be deleted while this is true; the operator's chart has the policy that enforces it.",
      { change: "live", default: false },
    ),
  },
  maybe: { image, extraArgs, inheritedMetadata },
});
