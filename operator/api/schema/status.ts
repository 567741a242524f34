/**
 * The whole of `status`: what the operator says. Bounds are far above what it writes; texts are cut to
 * `STATUS_TEXT_LENGTH` before.
 */
import { boolean, integer, list, map, mapList, object, oneOf, set, string, time } from "./node.ts";

/** The longest message that a status may carry; a condition's. */
export const STATUS_TEXT_LENGTH = 32_768;

const count = (description: string) => integer(description, { minimum: 0, maximum: 2_147_483_647 });
const bigCount = (description: string) => integer(description, { minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const word = (description: string) => string(description, { maxLength: 253 });
const message = (description: string) => string(description, { maxLength: STATUS_TEXT_LENGTH });
const id = (description: string) => string(description, { maxLength: 16, pattern: "^[0-9a-f]{16}$" });

const member = object("One member.", {
  always: {
    name: word("Its name, and its Pod's."),
    serial: count("Its number, which no other member of this cluster ever had."),
    role: oneOf("What it is in the cluster.", ["Leader", "Follower", "Learner", "Unstarted", "Unknown"]),
    health: oneOf("How it is.", ["Healthy", "Unreachable", "Alarmed", "Lagging", "Corrupt"]),
    healthSince: time("Since when it is so."),
  },
  maybe: {
    id: id("Its id in etcd, 16 digits of hex."),
    version: word("Version that it runs."),
    podName: word("Its Pod."),
    podUID: word("That Pod's uid."),
    nodeName: word("The node that it runs on."),
    zone: word("That node's zone."),
    pvcName: word("The claim that holds its data."),
    capacity: word("Size of its volume."),
    dbSize: bigCount("Bytes that its store takes."),
    dbSizeInUse: bigCount("Bytes of these that hold data."),
    raftTerm: bigCount("Its term of raft."),
    raftIndex: bigCount("Index of the last entry that it knows to be committed."),
    appliedIndex: bigCount("Index of the last entry that it has applied."),
    alarms: set("Its alarms.", word("NOSPACE or CORRUPT."), { maxItems: 8 }),
    templateHash: word("Hash of what its Pod was made from."),
    lastError: message("Why it could not be asked."),
  },
});

const operationFields = {
  always: {
    id: word("Tells this operation from others."),
    type: oneOf("What is being done.", [
      "Bootstrap",
      "ScaleUp",
      "ScaleDown",
      "Repair",
      "Update",
      "Resize",
      "Hibernate",
      "Wake",
      "Request",
    ]),
    step: word("How far it is."),
    startedAt: time("When it began."),
    attempts: count("How many times it was begun."),
    message: message("The same for people."),
  },
  maybe: { member: word("The member that it is about."), deadline: time("When it counts as stuck.") },
};

const condition = object("One condition.", {
  always: {
    type: string("Its name.", { maxLength: 64, pattern: "^[A-Z][A-Za-z]*$" }),
    status: oneOf("Whether it holds.", ["True", "False", "Unknown"]),
    reason: string("Why, in one word; docs have a page for each.", { maxLength: 128, pattern: "^[A-Z][A-Za-z0-9]*$" }),
    message: message("Why, and what to do."),
    observedGeneration: integer("Generation of the spec that it is about.", {
      minimum: -1,
      maximum: Number.MAX_SAFE_INTEGER,
    }),
    lastTransitionTime: time("When its status last became another."),
  },
});

const certificate = object("Certificates of one Secret.", {
  always: {
    name: word("The Secret."),
    notAfter: time("When the certificate ends."),
    caHash: word("Hash of the authorities in it."),
    loadedBy: set("Members that have loaded it.", word("A member's name."), { maxItems: 32 }),
  },
});

/** `status`. */
export const status = object("What the operator has seen and is doing.", {
  default: { observedGeneration: -1 },
  always: {
    observedGeneration: integer("Generation of the spec that this is about; -1 before the operator has seen any.", {
      default: -1,
      minimum: -1,
      maximum: Number.MAX_SAFE_INTEGER,
    }),
  },
  maybe: {
    phase: oneOf("All in one word, for people; programs read the conditions.", [
      "Pending",
      "Bootstrapping",
      "Running",
      "Scaling",
      "Updating",
      "Repairing",
      "Hibernated",
      "Paused",
      "QuorumLost",
      "Blocked",
      "Terminating",
    ]),
    clusterID: id("The cluster's id in etcd, 16 digits of hex. Once it is here no second cluster is ever begun."),
    clusterToken: string("Token by which members know each other's cluster.", { maxLength: 512 }),
    initialized: boolean("Whether the first member has begun the cluster."),
    currentVersion: word("The lowest version that runs."),
    targetVersion: word("The version that members are brought to."),
    replicas: count("Pods of members, ready or not."),
    readyReplicas: count("Pods that are ready."),
    voters: count("Members with a vote."),
    learners: count("Members without one."),
    updatedReplicas: count("Pods that are as the spec wants them."),
    selector: string("Labels of the Pods, for autoscalers.", { maxLength: 1024 }),
    nextMemberSerial: count("Number of the next new member."),
    leader: word("Name of the leader."),
    leaderChangedAt: time("When it became so."),
    dbSize: string("Size of the largest member's store, such as 12.5 MiB.", { maxLength: 32 }),
    quorum: object("How much can fail.", {
      always: {
        size: count("Voters that must be there."),
        healthy: count("Voters that are."),
        tolerates: integer("How many more may fail; below 0 the quorum is lost.", { minimum: -16, maximum: 16 }),
      },
    }),
    members: mapList("The members.", ["name"], member, { maxItems: 32 }),
    operation: object("What is being done; a hint for people and a base for deadlines.", operationFields),
    lastOperation: object("What was done last.", {
      ...operationFields,
      always: {
        ...operationFields.always,
        result: oneOf("How it ended.", ["Succeeded", "Failed"]),
        endedAt: time("When it ended."),
      },
    }),
    certificates: mapList("Certificates in use.", ["name"], certificate, { maxItems: 16 }),
    endpoints: object("Where the cluster is.", {
      always: {
        client: string("For clients.", { maxLength: 512 }),
        peer: string("For members.", { maxLength: 512 }),
      },
    }),
    handledRequests: map(
      "Requests by annotation that were carried out, and how far each has come: nonces by name.",
      word("The nonce."),
      {
        maxProperties: 64,
      },
    ),
    repairs: list("When members were replaced within the last hour.", time("When."), { maxItems: 64 }),
    conditions: mapList("Ready, Available, Reconciling, Stalled and more.", ["type"], condition, { maxItems: 32 }),
  },
});
