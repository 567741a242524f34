/**
 * What one client does to a server to get more than its share. Each abuse prepares (unmeasured), then goes on until it is
 * told to stop; `count` says what it gets done.
 */
import { setTimeout as after } from "node:timers/promises";
import { utf8Bytes } from "../../server/base/bytes.ts";
import {
  type RangeRequest,
  type RequestOp,
  SortOrder,
  SortTarget,
  TxnRequest,
  WatchCreateRequest,
} from "../../server/proto/etcdserverpb.ts";
import { SERVICES } from "../../server/proto/services.ts";
import type { Peer } from "./peer.ts";

/** What the abuse of one run is given. */
export interface Attack {
  readonly peer: Peer;
  /** 1: the sizes that the names say; less: that share of them. */
  readonly scale: number;
  readonly stopped: () => boolean;
  /** So many more are done. */
  count(done: number): void;
  /** Refusals are no failure of the abuse; they are shown. */
  refused(error: unknown): void;
}

export interface Abuse {
  /** What is counted. */
  readonly unit: string;
  /** Keys of 1 KiB that are there before; scaled. */
  readonly keys?: number;
  /** How far the server's memory may grow above what it had, in MiB. */
  readonly memoryMiB: number;
  /** Before the clock runs. What it answers is handed to `attack`. */
  prepare?(attack: Attack): Promise<void>;
  attack(attack: Attack): Promise<void>;
}

export const VALUE_BYTES = 1024;
export const FILL_PREFIX = "fill/";

const { kv, watch, lease, maintenance } = SERVICES;
const KEYS = 100_000;
const ALL = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };
const CALM_KEY = utf8Bytes("calm/key");
const LEASES = 1_000_000;
const WATCHERS = 100_000;
const FIRST_LEASE = 1_000_000n;

export const ABUSES: Readonly<Record<string, Abuse>> = {
  "list everything": {
    unit: "LIST",
    keys: KEYS,
    memoryMiB: 1024,
    attack: (attack) => inFlight(attack, 2, () => list(attack, {})),
  },
  "list in pages of 10000": {
    unit: "LIST",
    keys: KEYS,
    memoryMiB: 512,
    attack: (attack) => inFlight(attack, 8, () => list(attack, { limit: 10_000 })),
  },
  "sort everything by value": {
    unit: "sort",
    keys: KEYS,
    memoryMiB: 1024,
    attack: (attack) =>
      inFlight(attack, 4, () =>
        list(attack, { sortTarget: SortTarget.VALUE, sortOrder: SortOrder.DESCEND, limit: 10 }),
      ),
  },
  "count everything": {
    unit: "count",
    keys: KEYS,
    memoryMiB: 256,
    attack: (attack) => inFlight(attack, 64, () => list(attack, { countOnly: true })),
  },
  "range streams of everything": {
    unit: "stream",
    keys: KEYS,
    memoryMiB: 512,
    attack: (attack) =>
      inFlight(attack, 8, () => attack.peer.discard(kv.methods.rangeStream, { ...ALL, serializable: true })),
  },
  "deep transactions": {
    unit: "txn",
    memoryMiB: 512,
    attack: (attack) => inFlight(attack, 32, (number) => attack.peer.discard(kv.methods.txn, deepTxn(48, 30, number))),
  },
  "wide transactions": {
    unit: "txn",
    memoryMiB: 512,
    attack: (attack) => inFlight(attack, 8, (number) => attack.peer.discard(kv.methods.txn, wideTxn(48, 30, number))),
  },
  "transactions of 128 counts of everything": {
    unit: "txn",
    keys: KEYS,
    memoryMiB: 512,
    attack: (attack) =>
      inFlight(attack, 8, () =>
        attack.peer.discard(kv.methods.txn, { success: repeated(128, () => rangeOperation({ countOnly: true })) }),
      ),
  },
  "100,000 watches of one key that changes": {
    unit: "event",
    memoryMiB: 512,
    prepare: (attack) => openWatches(attack, () => ({ key: CALM_KEY })),
    attack: untilStopped,
  },
  "100,000 watches of keys of their own, made and unmade": {
    unit: "watch",
    memoryMiB: 512,
    attack: makeAndUnmakeWatches,
  },
  "100 watches of everything since revision 1": {
    unit: "event",
    keys: KEYS,
    memoryMiB: 512,
    attack: watchHistory,
  },
  "leases granted": {
    unit: "lease",
    memoryMiB: 1024,
    attack: (attack) => grantLeases(attack, LEASES, 3600),
  },
  "leases kept alive": {
    unit: "keepalive",
    memoryMiB: 1024,
    prepare: (attack) => grantLeases(attack, LEASES * attack.scale, 3600),
    attack: keepAlives,
  },
  "leases listed": {
    unit: "list",
    memoryMiB: 1024,
    prepare: (attack) => grantLeases(attack, LEASES * attack.scale, 3600),
    attack: (attack) => inFlight(attack, 2, () => attack.peer.discard(lease.methods.leaseLeases)),
  },
  "leases that end at once": {
    unit: "lease",
    memoryMiB: 1024,
    prepare: async (attack) => {
      const started = performance.now();
      await grantLeases(attack, (LEASES * attack.scale) / 4, 30);
      await after(Math.max(0, 30_000 - (performance.now() - started)));
    },
    attack: untilStopped,
  },
  "100,000 keys on one lease, revoked": {
    unit: "key",
    memoryMiB: 1024,
    prepare: async (attack) => {
      const leases = REVOKED_LEASES;
      for (let id = 1n; id <= leases; id++) await hangKeys(attack, id, KEYS * attack.scale);
    },
    attack: async (attack) => {
      for (let id = 1n; id <= REVOKED_LEASES; id++) {
        await attack.peer.discard(lease.methods.leaseRevoke, { id }).catch(attack.refused);
        attack.count(KEYS * attack.scale);
        await after(300);
      }
      await untilStopped(attack);
    },
  },
  "compaction storm": {
    unit: "compaction",
    keys: KEYS,
    memoryMiB: 512,
    attack: compactionStorm,
  },
  "HashKV of everything": {
    unit: "hash",
    keys: KEYS,
    memoryMiB: 256,
    attack: (attack) => inFlight(attack, 16, () => attack.peer.discard(maintenance.methods.hashKv)),
  },
  "Hash of everything": {
    unit: "hash",
    keys: KEYS,
    memoryMiB: 256,
    attack: (attack) => inFlight(attack, 16, () => attack.peer.discard(maintenance.methods.hash)),
  },
  snapshots: {
    unit: "snapshot",
    keys: KEYS,
    memoryMiB: 512,
    attack: (attack) => inFlight(attack, 4, () => attack.peer.discard(maintenance.methods.snapshot)),
  },
  "puts, 1000 at a time": {
    unit: "put",
    memoryMiB: 512,
    attack: (attack) =>
      inFlight(attack, 1000, (number) =>
        attack.peer.discard(kv.methods.put, { key: numbered("flood/", number % 100_000), value: VALUE_256 }),
      ),
  },
};

const REVOKED_LEASES = 3n;
const VALUE_256 = new Uint8Array(256).fill(97);

/** Keeps `width` of them under way until the end. A refusal makes a short pause, else a refusing server only refuses. */
async function inFlight(attack: Attack, width: number, one: (number: number) => Promise<unknown>): Promise<void> {
  let number = 0;
  const lane = async () => {
    while (!attack.stopped()) {
      try {
        await one(number++);
        attack.count(1);
      } catch (error) {
        attack.refused(error);
        await after(20);
      }
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
}

async function untilStopped(attack: Attack): Promise<void> {
  while (!attack.stopped()) await after(20);
}

function list(attack: Attack, how: Partial<RangeRequest>): Promise<void> {
  return attack.peer.discard(kv.methods.range, { ...ALL, serializable: true, ...how });
}

export function numbered(prefix: string, number: number): Uint8Array {
  return utf8Bytes(`${prefix}${String(number).padStart(9, "0")}`);
}

// ---- transactions

function repeated<T>(count: number, one: (number: number) => T): T[] {
  return Array.from({ length: count }, (_, number) => one(number));
}

function rangeOperation(how: Partial<RangeRequest>): RequestOp {
  const value = { ...RANGE_DEFAULTS, ...ALL, ...how };
  return { request: { kind: "range", value } };
}

const RANGE_DEFAULTS: RangeRequest = kv.methods.range.request.create();

/** A chain of `depth`, and at its end puts. */
function deepTxn(depth: number, puts: number, number: number): TxnRequest {
  let txn = TxnRequest.create({ success: repeated(puts, (put) => putOperation(`deep/${number % 100}/${put}`)) });
  for (let level = 0; level < depth; level++) {
    txn = TxnRequest.create({ success: [{ request: { kind: "txn", value: txn } }] });
  }
  return txn;
}

/** A chain of `depth`, then `width` transactions side by side with `width` puts each: what the bound of 128 allows. */
function wideTxn(depth: number, width: number, number: number): TxnRequest {
  let txn = TxnRequest.create({
    success: repeated(width, (side) => ({
      request: {
        kind: "txn",
        value: TxnRequest.create({
          success: repeated(width, (put) => putOperation(`wide/${number % 10}/${side}/${put}`)),
        }),
      },
    })),
  });
  for (let level = 0; level < depth; level++) {
    txn = TxnRequest.create({ success: [{ request: { kind: "txn", value: txn } }] });
  }
  return txn;
}

function putOperation(key: string): RequestOp {
  return { request: { kind: "put", value: kv.methods.put.request.create({ key: utf8Bytes(key) }) } };
}

// ---- watches

const CREATES_AT_ONCE = 64;

async function openWatches(attack: Attack, what: (number: number) => Partial<WatchCreateRequest>): Promise<void> {
  const wanted = Math.round(WATCHERS * attack.scale);
  let created = 0;
  const flow = attack.peer.stream(
    watch.methods.watch,
    (response) => {
      if (response.created) created++;
      attack.count(response.events.length);
    },
    attack.refused,
  );
  for (let number = 0; number < wanted; number += CREATES_AT_ONCE) {
    flow.sendAll(repeated(Math.min(CREATES_AT_ONCE, wanted - number), (more) => create(what(number + more))));
    await flow.drained();
    while (created + 4 * CREATES_AT_ONCE < number) await after(1);
  }
  while (created < wanted) await after(1);
}

function create(what: Partial<WatchCreateRequest>): { requestUnion: { kind: "create"; value: WatchCreateRequest } } {
  return { requestUnion: { kind: "create", value: WatchCreateRequest.create(what) } };
}

async function makeAndUnmakeWatches(attack: Attack): Promise<void> {
  const most = Math.round(WATCHERS * attack.scale);
  let created = 0;
  let asked = 0;
  let canceled = 0;
  const flow = attack.peer.stream(
    watch.methods.watch,
    (response) => {
      if (!response.created) return;
      created++;
      attack.count(1);
    },
    attack.refused,
  );
  while (!attack.stopped()) {
    flow.sendAll(
      repeated(CREATES_AT_ONCE, (more) =>
        create({ key: numbered("own/", asked + more), rangeEnd: numbered("own0", asked + more) }),
      ),
    );
    asked += CREATES_AT_ONCE;
    while (asked - canceled > most) flow.send({ requestUnion: { kind: "cancel", value: { watchId: canceled++ } } });
    await flow.drained();
    while (!attack.stopped() && created + 16 * CREATES_AT_ONCE < asked) await after(1);
  }
}

async function watchHistory(attack: Attack): Promise<void> {
  const flow = attack.peer.stream(
    watch.methods.watch,
    (response) => attack.count(response.events.length),
    attack.refused,
  );
  for (let number = 0; number < 100; number++) {
    flow.send(create({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0), startRevision: 1 }));
  }
  await untilStopped(attack);
}

// ---- leases

async function grantLeases(attack: Attack, count: number, ttl: number): Promise<void> {
  let next = FIRST_LEASE;
  const end = FIRST_LEASE + BigInt(Math.round(count));
  const lane = async () => {
    while (next < end && !attack.stopped()) {
      const id = next++;
      try {
        await attack.peer.discard(lease.methods.leaseGrant, { id, ttl });
        attack.count(1);
      } catch (error) {
        attack.refused(error);
        await after(20);
      }
    }
  };
  await Promise.all(Array.from({ length: 1000 }, lane));
}

async function keepAlives(attack: Attack): Promise<void> {
  let answered = 0;
  let sent = 0;
  const total = Math.round(LEASES * attack.scale);
  const flow = attack.peer.stream(
    lease.methods.leaseKeepAlive,
    () => {
      answered++;
      attack.count(1);
    },
    attack.refused,
  );
  while (!attack.stopped()) {
    flow.sendAll(repeated(100, (more) => ({ id: FIRST_LEASE + BigInt((sent + more) % total) })));
    sent += 100;
    await flow.drained();
    while (sent - answered > 2000 && !attack.stopped()) await after(1);
  }
}

async function hangKeys({ peer }: Attack, id: bigint, count: number): Promise<void> {
  await peer.discard(lease.methods.leaseGrant, { id, ttl: 3600 });
  for (let at = 0; at < count; at += 100) {
    const puts = repeated(Math.min(100, count - at), (more): RequestOp => {
      const put = kv.methods.put.request.create({ key: numbered(`leased/${id}/`, at + more), lease: id });
      return { request: { kind: "put", value: put } };
    });
    await peer.discard(kv.methods.txn, { success: puts });
  }
}

// ---- upkeep

async function compactionStorm(attack: Attack): Promise<void> {
  const { peer } = attack;
  await Promise.all([
    inFlight({ ...attack, count: () => undefined }, 100, (number) =>
      peer.discard(kv.methods.put, { key: numbered("storm/", number % 1000), value: VALUE_256 }),
    ),
    inFlight(attack, 1, async () => {
      const { header } = await peer.call(kv.methods.range, { key: CALM_KEY });
      await peer.discard(kv.methods.compact, { revision: header?.revision ?? 1, physical: true });
    }),
  ]);
}
