/** What members are started with: `spec.config` and `spec.extraArgs`. Nothing here is taken up by a running member. */
import { OWNED_FLAGS } from "../owned-flags.ts";
import { isDuration, quantity } from "./leaves.ts";
import { integer, mapList, object, oneOf, string } from "./node.ts";

const RETENTION_RULE = {
  rule:
    "self.mode == 'revision' ? self.retention.matches('^[1-9][0-9]{0,14}$') : " +
    `(${isDuration("self.retention")} && duration(self.retention) >= duration('1s') && ` +
    "duration(self.retention) <= duration('8760h'))",
  message:
    "retention must fit mode: a number of revisions with revision, a duration from 1s to 8760h, such as 12h, with periodic",
  fieldPath: ".retention",
} as const;

const autoCompaction = object(
  "Drops history that is older than it says. Without it all revisions are kept, until somebody compacts.",
  {
    rules: [RETENTION_RULE],
    always: {
      mode: oneOf("By age (periodic) or by count (revision).", ["periodic", "revision"]),
      retention: string("How much history to keep: a duration such as 12h, or a number of revisions.", {
        minLength: 1,
        maxLength: 24,
      }),
    },
  },
);

/** `spec.config`. */
export const config = object("Settings of the members.", {
  change: "rolls",
  default: {},
  rules: [
    {
      rule: "self.electionTimeout >= 5 * self.heartbeatInterval",
      message: "electionTimeout must be at least 5 times heartbeatInterval",
      fieldPath: ".electionTimeout",
    },
  ],
  always: {
    heartbeatInterval: integer("Milliseconds between two heartbeats of the leader.", {
      default: 100,
      minimum: 10,
      maximum: 10_000,
    }),
    electionTimeout: integer("Milliseconds without a leader after which an election begins; at least 5 heartbeats.", {
      default: 1000,
      minimum: 50,
      maximum: 50_000,
    }),
    metrics: oneOf("Metrics that are shown; extensive adds how long each call took.", ["basic", "extensive"], {
      default: "basic",
    }),
    logLevel: oneOf("The lowest level that is logged.", ["debug", "info", "warn", "error"], { default: "info" }),
    logFormat: oneOf("Form of a line of the log.", ["json", "console"], { default: "json" }),
  },
  maybe: {
    quotaBackendBytes: quantity(
      "Size of the store at which writes are refused with NOSPACE; the server's default is 2Gi. No more than the volume.",
      { minimum: "100Mi", maximum: "1Ti" },
    ),
    autoCompaction,
    snapshotCount: integer("Entries of the log after which a snapshot of the state is taken.", {
      minimum: 100,
      maximum: 10_000_000,
    }),
    maxRequestBytes: quantity("The largest request of a client that is taken.", { minimum: "64Ki", maximum: "1Gi" }),
    maxTxnOps: integer("The most operations in one transaction.", { minimum: 1, maximum: 65_536 }),
    maxConcurrentStreams: integer("The most streams that one connection may hold open.", {
      minimum: 10,
      maximum: 4_294_967_295,
    }),
  },
});

const flagName = string("The flag without its dashes, such as pre-vote.", {
  minLength: 1,
  maxLength: 64,
  rules: [
    {
      rule: "self.matches('^[a-z][a-z0-9-]*$')",
      message: "give the flag's name without dashes before it and without a value, such as pre-vote",
    },
    {
      rule: `!(self in [${OWNED_FLAGS.map((flag) => `'${flag}'`).join(", ")}])`,
      message: "this flag is set by the operator or by a field of spec.config, or is not safe in a cluster",
      reason: "FieldValueForbidden",
    },
  ],
});

/** `spec.extraArgs`. */
export const extraArgs = mapList(
  "Flags of the members that no field stands for. The operator does not look inside: a wrong one stops the rollout at its first member.",
  ["name"],
  object("One flag.", {
    always: { name: flagName, value: string("Its value; for a switch true or false.", { maxLength: 1024 }) },
  }),
  { change: "rolls", maxItems: 50 },
);
