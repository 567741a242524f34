/** How each row is measured. */
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "../../server/client/client.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { CLUSTER_EXPERIMENTS } from "./cluster-experiments.ts";
import { type Experiment, type Kit, type Reading, rate } from "./experiment.ts";
import { fill } from "./fill.ts";
import { runBenchmark } from "./loads/etcd-benchmark.ts";
import { runH2load } from "./loads/h2load.ts";
import { memoryOf } from "./loads/process.ts";
import { ProberProcess, runRaw } from "./loads/raw.ts";
import { callOnce } from "./raw-client/check.ts";
import {
  LIST_KEYS,
  LIST_PREFIX,
  PREFIX,
  SHAPES,
  type ShapeName,
  UPDATE_BYTES,
  VALUE_BYTES,
} from "./raw-client/shapes.ts";
import { keyOf, Template } from "./raw-client/template.ts";
import type { LoadResult } from "./raw-client/unary-load.ts";
import type { RowId } from "./rows.ts";
import type { Subject } from "./subject.ts";

const ONE_KEY = "one key";
const MANY_KEYS = "100 k keys";
const KEYS = 100_000;
const UPDATE_KEYS_OF_SLOT = 4;
const SIZE_KEY_BYTES = 60;
const SIZE_PREFIX = "size/";
const STALL_KEYS = 10_000;
const QUIET_MS = 2000;

export const EXPERIMENTS: readonly Experiment[] = [
  ...unary("rangeSerializable", "range serializable", 10, 100),
  ...unary("rangeTls", "range serializable", 10, 100, true),
  ...unary("rangeLinearizable", "range linearizable", 10, 100),
  ...unary("rangeLatency", "range serializable", 1, 1),
  ...unary("put1000", "put", 10, 100),
  ...unary("put100", "put", 10, 10),
  byBenchmark("putGo1000", 100, 1000),
  byBenchmark("putGo1", 1, 1),
  ...unary("putLatency", "put", 1, 1),
  {
    rows: ["update"],
    variant: "4 k keys",
    prepare: async () => {},
    measure: async ({ target }, { options: { seconds } }) => {
      const load = { connections: 10, inFlight: 100, keysOfSlot: UPDATE_KEYS_OF_SLOT, seconds };
      return rate("update", await runRaw<LoadResult>({ kind: "updates", target, ...load }));
    },
  },
  {
    rows: ["list"],
    variant: "500 keys",
    prepare: (subject) => fill(subject, LIST_PREFIX, LIST_KEYS, UPDATE_BYTES),
    measure: (subject, kit) => byH2load("list", "list", subject, kit, 16, 1),
  },
  {
    rows: ["watch"],
    variant: ONE_KEY,
    prepare: async () => {},
    measure: async ({ target }, { options: { seconds } }) =>
      rate(
        "watch",
        await runRaw<LoadResult>({ kind: "watch", target, connections: 10, watchers: 100, putsAhead: 16, seconds }),
      ),
  },
  {
    rows: ["keepalive"],
    variant: "200 leases",
    prepare: async () => {},
    measure: async ({ target }, { options: { seconds } }) => {
      const load = { connections: 10, streams: 20, inFlight: 4, firstLease: 1000, seconds };
      return rate("keepalive", await runRaw<LoadResult>({ kind: "keepalives", target, ...load }));
    },
  },
  { rows: ["memory", "restart"], variant: "", slow: true, prepare: fillLarge, measure: measureSize },
  { rows: ["compaction", "defragment"], variant: "", slow: true, prepare: fillHistory, measure: measureStalls },
  ...CLUSTER_EXPERIMENTS,
];

/** The same by h2load with one key, and by the raw client with many. */
function unary(id: RowId, shape: ShapeName, connections: number, inFlight: number, tls = false): Experiment[] {
  const isRead = shape !== "put";
  return [
    {
      rows: [id],
      variant: ONE_KEY,
      tls,
      prepare: (subject) => (isRead ? fill(subject, PREFIX, 1, VALUE_BYTES) : Promise.resolve()),
      measure: (subject, kit) => byH2load(id, shape, subject, kit, connections, inFlight),
    },
    {
      rows: [id],
      variant: MANY_KEYS,
      tls,
      prepare: (subject) => fill(subject, PREFIX, KEYS, VALUE_BYTES),
      measure: async ({ target }, { options: { seconds } }) => {
        const load = { connections, inFlight, keys: KEYS, seconds, seed: 1 };
        const result = await runRaw<LoadResult>({ kind: "unary", target, shape, ...load });
        return { ...rate(id, result), ...(connections * inFlight === 1 ? { figures: { [id]: result.p50Us } } : {}) };
      },
    },
  ];
}

async function byH2load(
  id: RowId,
  shape: ShapeName,
  { target }: Subject,
  { h2load, options: { seconds } }: Kit,
  connections: number,
  inFlight: number,
): Promise<Reading> {
  const result = await runH2load({ program: h2load, target, shape, connections, inFlight, seconds });
  return { figures: { [id]: connections * inFlight === 1 ? result.p50Us : result.perSecond } };
}

/** It takes a number of requests, not a time: the first run of each server says how many are worth it. */
function byBenchmark(id: RowId, connections: number, clients: number): Experiment {
  const rates = new Map<Subject, number>();
  return {
    rows: [id],
    variant: MANY_KEYS,
    prepare: async () => {},
    measure: async (subject, { benchmark, options: { seconds } }) => {
      const expected = rates.get(subject) ?? (clients === 1 ? 1000 : 10_000);
      const total = Math.max(clients, Math.round(expected * seconds));
      const load = { program: benchmark, endpoint: subject.server.endpoint, connections, clients, keys: KEYS, total };
      const perSecond = await runBenchmark(load);
      rates.set(subject, perSecond);
      return { figures: { [id]: perSecond } };
    },
  };
}

function fillLarge(subject: Subject, { options }: Kit): Promise<void> {
  return fill(subject, SIZE_PREFIX, options.sizeKeys, VALUE_BYTES, SIZE_KEY_BYTES);
}

/** Memory when the server has come to rest; then how long it is away: from its start until it answers for a key. */
async function measureSize({ server, target }: Subject, { options }: Kit): Promise<Reading> {
  await sleep(options.settleSeconds * 1000);
  const { totalMiB, anonMiB, fileMiB } = memoryOf(server.pid);
  const stopAtMs = performance.now();
  await server.stop("SIGTERM");
  const startAtMs = performance.now();
  await server.launch();
  const { method } = SHAPES["range linearizable"];
  const key = keyOf(SIZE_PREFIX, options.sizeKeys - 1, SIZE_KEY_BYTES);
  const answer = await callOnce(target, method.path, Template.of(method.request, { key }, key).bytes);
  const answeredAtMs = performance.now();
  if (method.response.decode(answer).kvs.length !== 1) throw new Error("a key is gone after the restart");
  return {
    figures: { memory: totalMiB, restart: answeredAtMs - startAtMs },
    notes: {
      "anon MiB": anonMiB,
      "file MiB": fileMiB,
      "RSS after restart MiB": memoryOf(server.pid).totalMiB,
      "stop ms": startAtMs - stopAtMs,
    },
  };
}

async function fillHistory(subject: Subject, { options }: Kit): Promise<void> {
  await fill(subject, PREFIX, STALL_KEYS, VALUE_BYTES);
  const load = { connections: 10, inFlight: 100, keys: STALL_KEYS, total: options.stallRevisions, seed: 1 };
  await runRaw<LoadResult>({ kind: "unary", target: subject.target, shape: "put", ...load });
}

/** The longest that a prober waits: with nothing going on, while history is removed, and while space is given back. */
async function measureStalls({ server, target }: Subject): Promise<Reading> {
  const { status, defragment } = SERVICES.maintenance.methods;
  const client = connect(server.url);
  const prober = ProberProcess.start(target);
  try {
    await sleep(500);
    await prober.take();
    await sleep(QUIET_MS);
    const quiet = await prober.take();
    const { header } = await client.unary(status);
    const revision = header?.revision ?? 0;
    await client.unary(SERVICES.kv.methods.compact, { revision, physical: true });
    const compaction = await prober.take();
    await client.unary(defragment);
    const giving = await prober.take();
    return {
      figures: { compaction: compaction.maxMs, defragment: giving.maxMs },
      notes: { "longest with nothing going on, ms": quiet.maxMs, "p50 us": quiet.p50Us },
    };
  } finally {
    prober.stop();
    client.close();
  }
}
