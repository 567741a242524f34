import assert from "node:assert/strict";
import { test } from "node:test";
import {
  compaction,
  compare,
  content,
  deleteRange,
  digest,
  Entries,
  grant,
  openState,
  put,
  range,
  revoke,
  txn,
} from "../../test/support/apply-state.ts";
import { AssertionFailure } from "../base/assert.ts";
import { EMPTY_BYTES, utf8Bytes } from "../base/bytes.ts";
import type { EtcdError } from "../base/error.ts";
import { Prng } from "../base/prng.ts";
import { revisionKey } from "../mvcc/revision.ts";
import {
  AlarmAction,
  AlarmType,
  type Compare,
  InternalRaftRequest,
  type InternalRequest,
  RequestHeader,
  type RequestOpUnion,
} from "../proto/etcdserverpb.ts";
import { EntryType } from "../proto/raftpb.ts";
import { Applier } from "./applier.ts";
import { storeConsistentIndex } from "./consistent-index.ts";
import type { Applied } from "./outcome.ts";
import type { State } from "./state.ts";

function opened() {
  const state = openState();
  return { state, entries: new Entries(state) };
}

// ---- entries -----------------------------------------------------------------------------------------------------------

test("the empty entry of a new leader changes nothing and is for nobody", () => {
  const { state, entries } = opened();
  const before = digest(state);
  const { kind, outcome, changes, compaction: begun } = entries.applyBytes(EMPTY_BYTES);
  assert.deepEqual(
    { kind, outcome, changes, begun },
    { kind: "none", outcome: { ok: true, response: undefined }, changes: [], begun: undefined },
  );
  assert.deepEqual(digest(state), before);
  assert.equal(state.backend.pendingOperations(), 0);
});

test("a request that this version does not know, or cannot do, stops it before anything is changed", () => {
  const { state, entries } = opened();
  const header = RequestHeader.create({ id: 1n });
  const unknown = InternalRaftRequest.encode({ header, id: 0n, request: undefined });
  const withUnknownField = new Uint8Array([...unknown, 0xfa, 0x7f, 1, 0]); // field 2047
  assert.throws(() => entries.applyBytes(unknown), AssertionFailure);
  assert.throws(() => entries.applyBytes(withUnknownField), AssertionFailure);
  const later: InternalRequest[] = [
    { kind: "authEnable", value: {} },
    { kind: "authRoleList", value: {} },
  ];
  for (const request of later)
    assert.throws(() => entries.apply(request), { name: "AssertionFailure", message: new RegExp(`"${request.kind}"`) });
  assert.equal(state.backend.pendingOperations(), 0);
});

test("an entry that is damaged is no outcome: it throws", () => {
  const { entries } = opened();
  assert.throws(() => entries.applyBytes(Uint8Array.of(0x1a, 0x7f)), { code: "MalformedRequest" });
});

test("what the disk or we ourselves got wrong is no outcome either", () => {
  const { state, entries } = opened();
  const broken: State = {
    ...state,
    lessor: Object.assign(Object.create(state.lessor), {
      lookup: () => {
        throw new TypeError("our own mistake");
      },
    }),
  };
  const data = InternalRaftRequest.encode({ header: undefined, id: 1n, request: put("a", "1", { lease: 5n }) });
  const entry = { type: EntryType.NORMAL, term: 1, index: 1, data };
  assert.throws(() => new Applier(broken).apply(entry), { message: "our own mistake" });
  assert.equal(entries.refusal(put("a", "1", { lease: 5n })), "LeaseNotFound");
});

test("a range can travel through the log as well", () => {
  const { entries } = opened();
  entries.answer(put("a", "1"));
  const { count, header } = entries.answer(range("a"));
  assert.deepEqual([count, header?.revision], [1, 2]);
  assert.equal(entries.refusal(range("a", "", { revision: 9 })), "FutureRevision");
});

test("a compaction is begun by its entry, with the present revision in its answer, and finished by others", () => {
  const { state, entries } = opened();
  for (const value of ["1", "2", "3"]) entries.answer(put("a", value));
  const applied = entries.apply(compaction(3));
  assert.ok(applied.outcome.ok);
  assert.equal(applied.outcome.response?.header?.revision, 4);
  assert.deepEqual(applied.changes, []);
  assert.equal(applied.compaction?.revision, 3);
  assert.equal(state.store.compactRevision, 3);
  assert.equal(entries.refusal(range("a", "", { revision: 2 })), "Compacted");
  for (const [revision, code] of [
    [3, "Compacted"],
    [2, "Compacted"],
    [5, "FutureRevision"],
  ] as const) {
    const refused = entries.apply(compaction(revision));
    assert.deepEqual([refused.outcome, refused.compaction], [{ ok: false, code, detail: undefined }, undefined]);
  }
  assert.equal(entries.apply(put("a", "4")).compaction, undefined, "the next entry has none");
});

test("a store that was never compacted may be compacted to revision 0", () => {
  const { state, entries } = opened();
  assert.equal(entries.refusal(compaction(0)), "none");
  assert.equal(state.store.compactRevision, 0);
  assert.equal(entries.refusal(compaction(0)), "Compacted");
});

const REFUSED: readonly { code: string; request: InternalRequest }[] = [
  { code: "LeaseNotFound", request: put("b", "1", { lease: 9n }) },
  { code: "KeyNotFound", request: put("x", "", { ignoreValue: true }) },
  { code: "LeaseNotFound", request: txn({ run: [deleteRange("b"), put("b", "1", { lease: 9n })] }) },
  { code: "FutureRevision", request: txn({ run: [put("b", "1"), range("b", "", { revision: 99 })] }) },
  { code: "FutureRevision", request: range("b", "", { revision: 99 }) },
  { code: "LeaseExists", request: grant(7n) },
  { code: "LeaseTtlTooLarge", request: grant(8n, 1e10) },
  { code: "LeaseNotFound", request: revoke(9n) },
  { code: "FutureRevision", request: compaction(99) },
];

test("a refusal leaves store, leases, alarms and members as they were, and the next entry is not touched by it", () => {
  const { state, entries } = opened();
  entries.answer(grant(7n));
  entries.answer(put("b", "1", { lease: 7n }));
  const before = digest(state);
  const pending = state.backend.pendingOperations();
  for (const { code, request } of REFUSED) {
    const { outcome, changes, compaction: begun } = entries.apply(request);
    assert.deepEqual([outcome, changes, begun], [{ ok: false, code, detail: undefined }, [], undefined], request.kind);
  }
  assert.deepEqual(digest(state), before);
  assert.equal(state.backend.pendingOperations(), pending);
  assert.equal(entries.apply(put("c", "1")).changes[0]?.revision.main, 3);
});

test("changes are those of the entry alone", () => {
  const { entries } = opened();
  assert.equal(entries.apply(put("a", "1")).changes.length, 1);
  assert.equal(entries.apply(range("a")).changes.length, 0);
  assert.equal(entries.apply(deleteRange("a")).changes.length, 1);
  assert.equal(entries.apply(grant(7n)).changes.length, 0);
});

// ---- the same log makes the same state -----------------------------------------------------------------------------------

const KEYS = ["a", "b", "bb", "c", "d"];
const LEASES = [1n, 2n, 3n];
const ENDS = ["", "", "c", "\0", "a"];

/** Requests as they come, about a tenth of which is refused. `revision`: about where the store stands. */
class RandomRequests {
  readonly #prng: Prng;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  next(revision: number): InternalRequest {
    const prng = this.#prng;
    const chance = prng.below(100);
    if (chance < 30) return this.#put();
    if (chance < 40) return deleteRange(prng.pick(KEYS), prng.pick(ENDS), { prevKv: prng.chance(0.5) });
    if (chance < 70) return this.#txn(revision, 2);
    if (chance < 76) return grant(prng.pick(LEASES), prng.below(100));
    if (chance < 81) return revoke(prng.pick(LEASES));
    if (chance < 84) {
      const checkpoints = [{ id: prng.pick(LEASES), remainingTtl: prng.below(50) }];
      return { kind: "leaseCheckpoint", value: { checkpoints } };
    }
    if (chance < 90) return this.#range(revision);
    if (chance < 93) return compaction(revision - prng.below(8));
    if (chance < 98) return this.#alarm();
    if (chance < 99) return { kind: "clusterVersionSet", value: { ver: `3.${prng.below(8)}.0` } };
    const memberAttributes = { name: prng.pick(KEYS), clientUrls: [] };
    return { kind: "clusterMemberAttrSet", value: { memberId: BigInt(prng.below(2)), memberAttributes } };
  }

  #put() {
    const prng = this.#prng;
    return put(prng.pick(KEYS), "v".repeat(prng.below(4)), {
      lease: prng.chance(0.3) ? prng.pick(LEASES) : 0n,
      prevKv: prng.chance(0.3),
      ignoreValue: prng.chance(0.1),
      ignoreLease: prng.chance(0.1),
    });
  }

  #range(revision: number) {
    const prng = this.#prng;
    return range(prng.pick(KEYS), prng.pick(ENDS), {
      revision: prng.chance(0.5) ? 0 : revision - prng.below(6),
      limit: prng.below(4),
      sortOrder: prng.below(3),
      sortTarget: prng.below(5),
      keysOnly: prng.chance(0.2),
      countOnly: prng.chance(0.2),
      minModRevision: prng.chance(0.2) ? prng.below(revision) : 0,
    });
  }

  #txn(revision: number, depth: number): ReturnType<typeof txn> {
    const some = <T>(count: number, make: () => T) => Array.from({ length: this.#prng.below(count) }, make);
    return txn({
      when: some(3, () => this.#compare(revision)),
      run: some(4, () => this.#operation(revision, depth)),
      orElse: some(4, () => this.#operation(revision, depth)),
    });
  }

  #operation(revision: number, depth: number): RequestOpUnion {
    const chance = this.#prng.below(10);
    if (chance < 2 && depth > 0) return this.#txn(revision, depth - 1);
    if (chance < 6) return this.#put();
    if (chance < 8) return this.#range(revision);
    return deleteRange(this.#prng.pick(KEYS), this.#prng.pick(ENDS));
  }

  #compare(revision: number): Compare {
    const prng = this.#prng;
    const unions: NonNullable<Compare["targetUnion"]>[] = [
      { kind: "version", value: prng.below(3) },
      { kind: "createRevision", value: prng.below(revision) },
      { kind: "modRevision", value: prng.below(revision) },
      { kind: "value", value: utf8Bytes("v".repeat(prng.below(4))) },
      { kind: "lease", value: prng.pick(LEASES) },
    ];
    const target = prng.below(unions.length);
    return compare(prng.pick(KEYS), target, prng.below(4), unions[target], prng.pick(ENDS));
  }

  #alarm(): InternalRequest {
    const prng = this.#prng;
    const action = prng.chance(0.3) ? AlarmAction.ACTIVATE : AlarmAction.DEACTIVATE;
    const alarm = prng.chance(0.5) ? AlarmType.NOSPACE : AlarmType.CORRUPT;
    return { kind: "alarm", value: { action, memberId: 1n, alarm } };
  }
}

/** An outcome as it can be compared: what a codec made, as plain values. */
function plain({ kind, outcome, changes }: Applied): unknown {
  return JSON.parse(
    JSON.stringify({ kind, outcome, changes }, (_, value: unknown) =>
      typeof value === "bigint"
        ? `${value}n`
        : value instanceof Uint8Array
          ? Buffer.from(value).toString("hex")
          : value,
    ),
  );
}

/** Applies a log to a state that may lose what it has not committed, as a member would. */
class Machine {
  state: State & { readonly backend: ReturnType<typeof openState>["backend"] };
  #entries: Entries;
  #pending: NonNullable<Applied["compaction"]>[] = [];
  readonly #options: { quotaBytes?: number; valueCacheBytes: number };

  constructor(options: { quotaBytes?: number; valueCacheBytes: number }) {
    this.#options = options;
    this.state = openState(options);
    this.state.membership.add({ id: 1n, name: "", peerUrls: [], clientUrls: [], isLearner: false });
    this.#entries = new Entries(this.state);
  }

  apply(request: InternalRequest): Applied {
    return this.#note(this.#entries.apply(request));
  }

  /** As the proposer does it: with the request that it has, not the one in the entry. */
  applyKnown(request: InternalRequest): Applied {
    return this.#note(this.#entries.apply(request, request));
  }

  #note(applied: Applied): Applied {
    if (applied.compaction !== undefined) this.#pending.push(applied.compaction);
    return applied;
  }

  /** Goes on with compactions. */
  compact(revisions: number): void {
    if (this.#pending[0]?.step(revisions) === true) this.#pending.shift();
  }

  /** Everything in memory is made anew from the backend. */
  restart(): void {
    this.state = openState({ ...this.#options, backend: this.state.backend });
    this.#entries = new Entries(this.state);
    const { pendingCompaction } = this.state.store;
    this.#pending = pendingCompaction === undefined ? [] : [pendingCompaction];
  }

  /**
   * All compactions come to their end, and the hashes that they came by are forgotten. As in etcd, a hash at a revision
   * at which no key lives tells how far the last compaction has come, and one at revision 0 is that of a compaction to
   * revision 0 if there was one.
   */
  settle(): void {
    while (this.#pending.length > 0) this.compact(1000);
    this.restart();
  }
}

test("the same entries make the same outcomes and the same state, however fast each member compacts, caches or restarts", () => {
  const seen = new Map<string, number>();
  for (let seed = 1; seed <= 20; seed++) {
    const prng = new Prng(seed);
    const requests = new RandomRequests(prng);
    const first = new Machine({ valueCacheBytes: 100_000 });
    const second = new Machine({ valueCacheBytes: 0 });
    for (let count = 0; count < 80; count++) {
      const request = requests.next(first.state.store.currentRevision);
      const one = first.applyKnown(request);
      const other = second.apply(request);
      assert.deepEqual(plain(other), plain(one), `seed ${seed}, entry ${count}: ${request.kind}`);
      const what = one.outcome.ok ? one.kind : one.outcome.code;
      seen.set(what, (seen.get(what) ?? 0) + 1);
      first.compact(1000);
      if (prng.chance(0.3)) second.compact(1);
      if (prng.chance(0.1)) second.restart();
    }
    first.settle();
    second.settle();
    assert.deepEqual(digest(second.state), digest(first.state), `seed ${seed}`);
  }
  for (const what of [
    "put",
    "txn",
    "deleteRange",
    "range",
    "leaseGrant",
    "leaseRevoke",
    "leaseCheckpoint",
    "compaction",
  ])
    assert.ok((seen.get(what) ?? 0) > 10, `${what} came often enough`);
  for (const what of ["LeaseNotFound", "KeyNotFound", "LeaseExists", "Compacted", "NoSpace", "Corrupt"])
    assert.ok((seen.get(what) ?? 0) > 5, `the refusal ${what} came often enough`);
});

test("a quota changes answers and nothing else", () => {
  let overQuota = 0;
  for (let seed = 101; seed <= 110; seed++) {
    const requests = new RandomRequests(new Prng(seed));
    const free = new Machine({ valueCacheBytes: 1000 });
    const tight = new Machine({ valueCacheBytes: 1000, quotaBytes: 1500 });
    for (let count = 0; count < 80; count++) {
      const request = requests.next(free.state.store.currentRevision);
      const one = free.apply(request);
      const other = tight.apply(request);
      assert.deepEqual(other.changes.length, one.changes.length);
      if (other.outcome.ok === one.outcome.ok) continue;
      assert.deepEqual(other.outcome, { ok: false, code: "NoSpace", detail: undefined });
      overQuota++;
    }
    assert.deepEqual(digest(tight.state), digest(free.state), `seed ${seed}`);
  }
  assert.ok(overQuota > 50, `${overQuota} answers differed`);
});

test("a planted difference between two members is noticed by the comparison", () => {
  const first = new Machine({ valueCacheBytes: 1000 });
  const second = new Machine({ valueCacheBytes: 1000 });
  for (const machine of [first, second]) machine.apply(put("a", "1"));
  assert.deepEqual(digest(second.state), digest(first.state));
  const { key, rangeEnd } = { key: revisionKey(2, 0), rangeEnd: revisionKey(3, 0) };
  second.state.backend.scan("key", key, rangeEnd, (_, value) => {
    value[value.length - 1] = (value[value.length - 1] as number) ^ 1;
    return true;
  });
  assert.notDeepEqual(digest(second.state).hash, digest(first.state).hash);
});

test("entries at or below the consistent index are not applied again, and those above it make up for a crash", async () => {
  for (let seed = 201; seed <= 210; seed++) {
    const prng = new Prng(seed);
    const requests = new RandomRequests(prng);
    const steady = openState();
    const steadyEntries = new Entries(steady);
    const log: InternalRequest[] = [];
    let crashing = openState();
    let entries = new Entries(crashing);
    let committed = 0;
    for (let index = 1; index <= 60; index++) {
      const request = requests.next(steady.store.currentRevision);
      log.push(request);
      steadyEntries.apply(request);
      entries.apply(request);
      storeConsistentIndex(crashing.backend, { index, term: 1 });
      if (prng.chance(0.1)) {
        await crashing.backend.commit();
        committed = index;
      }
      if (prng.chance(0.1)) {
        crashing = openState({ backend: crashing.backend.crash() });
        entries = new Entries(crashing);
        for (const again of log.slice(committed)) entries.apply(again);
      }
    }
    assert.deepEqual(digest(crashing), digest(steady), `seed ${seed}`);
    assert.deepEqual(content(crashing), content(steady));
  }
});

test("a refusal keeps the code's own text unless it has one of its own", () => {
  const { entries } = opened();
  assert.throws(
    () => entries.answer(revoke(9n)),
    (error: EtcdError) => error.code === "LeaseNotFound" && error.detail === undefined,
  );
});
