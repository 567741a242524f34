/**
 * Who may listen in and who may call: `spec.tls`. Members read Secrets that the operator writes, whoever signed what is
 * in them, and read them anew while they run; another mode is another Pod.
 */
import { duration, isDuration, nameOf, objectName } from "./leaves.ts";
import { list, nothing, object, oneOf, type Rule, set, string } from "./node.ts";
import { exactlyOne, fixed } from "./rules.ts";

const SOURCE_RULE: Rule = {
  rule: "(self.mode != 'Disabled') == has(self.source)",
  message: "give a source with every mode but Disabled, and none with Disabled",
  fieldPath: ".source",
};

const issuerRef = object("The issuer that signs.", {
  always: {
    name: objectName("Its name."),
    kind: oneOf("Its kind: of this namespace, or of the whole cluster.", ["Issuer", "ClusterIssuer"], {
      default: "Issuer",
    }),
    group: objectName("Its API group.", { default: "cert-manager.io" }),
  },
});

function source(whose: string) {
  return object(`Where ${whose} certificates come from: exactly one.`, {
    change: "live",
    rules: [exactlyOne(["secretRef", "certManager", "operatorCA"])],
    maybe: {
      secretRef: nameOf("A Secret of yours with ca.crt, tls.crt and tls.key"),
      certManager: object("By cert-manager, which issues and renews them.", { always: { issuerRef } }),
      operatorCA: nothing("The operator issues and renews them from an authority of its own for this cluster."),
    },
  });
}

const client = object("Between clients and members.", {
  default: {},
  rules: [SOURCE_RULE],
  always: {
    mode: oneOf(
      "Plain text; members show certificates; or clients must show one, too.",
      ["Disabled", "Server", "Mutual"],
      { default: "Disabled", change: "rolls" },
    ),
  },
  maybe: { source: source("the members'") },
});

const peer = object("Between members.", {
  default: {},
  rules: [SOURCE_RULE],
  always: {
    mode: oneOf("Plain text, or each shows the other a certificate.", ["Disabled", "Mutual"], {
      default: "Disabled",
      change: "fixed",
      rules: [fixed("the mode between members")],
    }),
  },
  maybe: { source: source("the members'") },
});

const certificates = object("What certificates that are issued for this cluster look like.", {
  change: "live",
  default: {},
  rules: [
    {
      rule:
        `!(${isDuration("self.duration")} && ${isDuration("self.renewBefore")}) || ` +
        "duration(self.renewBefore) < duration(self.duration)",
      message: "renewBefore must be shorter than duration, else certificates would be renewed without end",
      fieldPath: ".renewBefore",
    },
  ],
  always: {
    duration: duration("How long a certificate is good for.", {
      default: "2160h",
      minimum: "1h",
      maximum: "87600h",
    }),
    renewBefore: duration("How long before its end it is renewed.", {
      default: "720h",
      minimum: "5m",
      maximum: "87600h",
    }),
  },
  maybe: {
    extraDNSNames: set(
      "More host names by which clients reach the members.",
      string("A host name; its first part may be *.", {
        minLength: 1,
        maxLength: 253,
        pattern: "^(\\*\\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$",
      }),
      { maxItems: 32 },
    ),
    extraIPs: set(
      "More addresses by which clients reach the members.",
      string("An IPv4 or IPv6 address.", { minLength: 2, maxLength: 45, pattern: "^[0-9a-fA-F.:]+$" }),
      { maxItems: 32 },
    ),
  },
});

function fileOf(what: string) {
  return object(`A file of a ${what} in the same namespace.`, {
    always: {
      name: objectName(`The ${what}'s name.`),
      key: string("Which of its files.", {
        default: "ca.crt",
        minLength: 1,
        maxLength: 253,
        pattern: "^[-._a-zA-Z0-9]+$",
      }),
    },
  });
}

const extraTrust = list(
  "More authorities (PEM) whose clients are let in, such as the old one while clients change over.",
  object("Exactly one of the two.", {
    rules: [exactlyOne(["secretRef", "configMapRef"])],
    maybe: { secretRef: fileOf("Secret"), configMapRef: fileOf("ConfigMap") },
  }),
  { change: "live", maxItems: 16 },
);

/** `spec.tls`. */
export const tls = object("Encryption and who is let in.", {
  default: {},
  always: { client, peer, certificates },
  maybe: { extraTrust },
});
