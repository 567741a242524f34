/**
 * The house as data: which room may know which, what a room may touch, and who may use which package. A room is a
 * folder of `server/`, or of `operator/` under its whole path. Whoever needs another line here should first ask whether
 * the code stands in the right room.
 */

export interface Room {
  /** Rooms it may import from; itself always. Types count: a type that knows you is still someone who knows you. */
  readonly imports: readonly string[];
  /**
   * "pure": a value follows from the arguments alone. "simulated": may wait, but only on what the ports give.
   * "open": touches the world.
   */
  readonly world: "pure" | "simulated" | "open";
}

/** Rooms that only think, which `member` and `apply` put together. */
const STATE = ["base", "proto", "ports"];

export const ROOMS: Readonly<Record<string, Room>> = {
  base: { imports: [], world: "pure" },
  proto: { imports: ["base"], world: "pure" },
  ports: { imports: ["base", "proto"], world: "pure" },
  raft: { imports: ["base", "proto"], world: "pure" },
  mvcc: { imports: STATE, world: "pure" },
  lease: { imports: STATE, world: "pure" },
  auth: { imports: STATE, world: "pure" },
  cluster: { imports: STATE, world: "pure" },
  watch: { imports: ["base", "proto", "mvcc"], world: "pure" },
  apply: { imports: [...STATE, "mvcc", "lease", "auth", "cluster"], world: "pure" },
  wal: { imports: [...STATE, "raft"], world: "simulated" },
  member: {
    imports: [...STATE, "raft", "mvcc", "lease", "auth", "cluster", "watch", "apply", "wal", "bolt", "metrics"],
    world: "simulated",
  },
  services: { imports: ["base", "proto", "member", "watch"], world: "simulated" },
  http2: { imports: ["base"], world: "open" },
  rpc: { imports: ["base", "proto", "services", "metrics", "http2"], world: "open" },
  gateway: { imports: ["base", "proto", "services", "metrics"], world: "open" },
  bolt: { imports: ["base"], world: "pure" },
  client: { imports: ["base", "proto"], world: "open" },
  transport: { imports: ["base", "proto", "ports", "metrics"], world: "open" },
  storage: { imports: ["base", "ports", "metrics"], world: "open" },
  system: { imports: ["base", "ports"], world: "open" },
  metrics: { imports: ["base"], world: "open" },
  config: { imports: ["base"], world: "open" },
  "operator/api": { imports: ["base"], world: "pure" },
  "operator/runtime": { imports: ["base"], world: "open" },
  "operator/etcd": { imports: ["base", "proto", "client"], world: "open" },
  "operator/resources": { imports: ["base", "operator/api"], world: "pure" },
  "operator/certificates": { imports: ["base", "operator/api"], world: "open" },
  "operator/plan": { imports: ["base", "operator/api", "operator/resources"], world: "pure" },
  "operator/cluster": {
    imports: [
      "base",
      "operator/api",
      "operator/runtime",
      "operator/etcd",
      "operator/resources",
      "operator/certificates",
      "operator/plan",
    ],
    world: "simulated",
  },
};

/** Put everything together, and so may import every room. Nobody imports them. */
export const TOP_ROOMS: readonly string[] = ["cli", "operator/cli"];

/** Where the programs begin: what none of them reaches is used by nobody. */
export const PROGRAMS: readonly string[] = [
  "server/cli/main.ts",
  "operator/cli/main.ts",
  "operator/api/generate.ts", // `npm run crds`
];

/** Parts of the server that its tests alone use so far, each with its reason. */
export const FOR_TESTS: readonly string[] = [
  "server/base/prng.ts", // chance from a seed: simulations
];

/** Where a package may be imported: folders, and single files. `tests` are files named *.test.ts and those below test/. */
export const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  lmdb: ["server/storage/"],
  "@grpc/grpc-js": ["server/client/", "server/rpc/bind-grpc-js.ts", "tests"],
  "@kubernetes/client-node": ["operator/runtime/kube-client.ts", "tests"],
  "@peculiar/x509": ["operator/certificates/", "tests"],
  "prom-client": ["server/metrics/", "operator/runtime/metrics.ts"],
  "sorted-btree": ["server/base/sorted-map.ts"],
  yaml: ["server/config/", "operator/api/generate.ts", "tests"],
  protobufjs: ["tests"],
};

/** Files of pure rooms with a door of their own, each with its reason. */
export const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  "server/base/digest.ts": ["node:crypto"], // a digest is a pure function
  "server/base/bytes.ts": ["Buffer"], // the one place that converts bytes
  "server/base/int64.ts": ["Buffer"],
  "server/proto/wire.ts": ["Buffer"], // text in and out of messages, for speed
};

/** Rooms of types: a port may promise, although nobody in the room waits. */
export const MAY_NAME_PROMISES: readonly string[] = ["ports"];

/** Names that lead to the world or to chance. */
export const WORLDLY: readonly string[] = [
  "Date",
  "Temporal",
  "performance",
  "process",
  "globalThis",
  "global",
  "require",
  "eval",
  "console",
  "fetch",
  "crypto",
  "Intl",
  "Buffer",
  "Worker",
  "Atomics",
  "SharedArrayBuffer",
  "WeakRef",
  "FinalizationRegistry",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "clearTimeout",
  "clearInterval",
  "clearImmediate",
];

/** Members that do, of anything: they follow the locale of the machine. */
export const WORLDLY_MEMBERS: readonly string[] = ["localeCompare", "toLocaleString"];

/** Words of code that waits. */
export const WAITING: readonly string[] = ["async", "await", "Promise", "queueMicrotask"];
