import assert from "node:assert/strict";
import { test } from "node:test";
import { SimClock } from "../../test/simulation/world/clock.ts";
import { Deferred, pass } from "../../test/support/settling.ts";
import { Prng } from "../base/prng.ts";
import type { Clock } from "../ports/clock.ts";
import { ConfState, type Entry, EntryType, type HardState, Message } from "../proto/raftpb.ts";
import type { RawNode } from "../raft/raw-node.ts";
import type { Ready } from "../raft/ready.ts";
import type { SyncGuard } from "../wal/sync-guard.ts";
import type { Wal } from "../wal/wal.ts";
import { Loop, type LoopDuties } from "./loop.ts";
import { NO_METRICS } from "./member-metrics.ts";

function entry(index: number, bytes = 1): Entry {
  return { type: EntryType.NORMAL, term: 1, index, data: new Uint8Array(bytes) };
}

function entries(from: number, to: number, bytes = 1): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, at) => entry(from + at, bytes));
}

function readyOf(parts: Partial<Ready>): Ready {
  return {
    softState: undefined,
    hardState: undefined,
    entries: [],
    snapshot: undefined,
    committedEntries: [],
    messages: [],
    messagesAfterSync: [],
    readStates: [],
    mustSync: (parts.entries ?? []).length > 0,
    ...parts,
  };
}

/** A loop between a raft and a log that only note what is asked of them, in words. */
class World {
  readonly clock = new SimClock();
  readonly journal: string[] = [];
  readonly readys: Ready[] = [];
  /** Answered by raft, and in no Ready yet. */
  reads: { readonly index: number; readonly context: bigint }[] = [];
  readonly fatal: unknown[] = [];
  /** Syncs beside the loop that wait for the test. */
  readonly syncs: Deferred[] = [];
  /** Until then no state takes the place of another. */
  prepared = new Deferred();
  /** What an operation does beside being noted. */
  readonly onto: { save?: () => void; syncNow?: () => void; apply?: (index: number) => void; persisted?: () => void } =
    {};
  mayBlock = true;
  mayApply = true;
  isAlone = true;
  /** How far the loop's clock runs ahead of the world's. */
  spentMs = 0;
  readonly #syncEndsEarly: boolean;
  readonly loop: Loop;

  constructor(planted: { unsafeNoFsync?: boolean; syncEndsEarly?: boolean } = {}) {
    const { clock } = this;
    this.#syncEndsEarly = planted.syncEndsEarly ?? false;
    const own: Clock = {
      monotonicMs: () => clock.monotonicMs() + this.spentMs,
      wallMs: () => clock.wallMs(),
      after: (delayMs, action) => clock.after(delayMs, action),
      soon: (action) => clock.soon(action),
    };
    const guard = { mayBlock: () => this.mayBlock, record: () => undefined };
    this.loop = new Loop({
      raft: this.#raft() as unknown as RawNode,
      wal: this.#wal() as unknown as Wal,
      clock: own,
      guard: guard as unknown as SyncGuard,
      metrics: NO_METRICS,
      duties: this.#duties(),
      unsafeNoFsync: planted.unsafeNoFsync ?? false,
    });
  }

  #note(text: string): void {
    this.journal.push(text);
  }

  #raft(): Pick<RawNode, "hasReady" | "ready" | "takeReadStates" | "persisted" | "appliedTo"> {
    return {
      takeReadStates: () => this.reads.splice(0),
      hasReady: () => this.readys.length > 0,
      ready: () => this.readys.shift() as Ready,
      persisted: (ready) => {
        this.#note(`persisted ${spanOf(ready.entries)}`);
        this.onto.persisted?.();
      },
      appliedTo: (index) => this.#note(`raft: applied to ${index}`),
    };
  }

  #wal(): Pick<Wal, "save" | "saveSnapshot" | "syncNow" | "sync"> {
    return {
      save: (hardState: HardState | undefined, saved: readonly Entry[]) => {
        this.#note(`save ${spanOf(saved)}${hardState === undefined ? "" : ` commit ${hardState.commit}`}`);
        this.onto.save?.();
        return saved.length;
      },
      saveSnapshot: ({ index }: { index: number }) => this.#note(`mark ${index}`),
      syncNow: () => {
        this.onto.syncNow?.();
        this.#note("synced");
      },
      sync: async () => {
        this.#note("sync begins");
        const deferred = new Deferred();
        this.syncs.push(deferred);
        const done = deferred.promise.then(() => this.#note("synced"));
        if (!this.#syncEndsEarly) await done;
      },
    };
  }

  #duties(): LoopDuties {
    return {
      beforeRound: () => undefined,
      applyEntry: ({ index }) => {
        this.onto.apply?.(index);
        this.#note(`apply ${index}`);
      },
      mayApply: () => this.mayApply,
      isAlone: () => this.isAlone,
      hasRead: () => false,
      appliedThrough: (index) => this.#note(`applied through ${index}`),
      prepareInstall: ({ metadata }) => {
        this.#note(`prepare ${metadata?.index}`);
        return this.prepared.promise;
      },
      install: ({ metadata }) => this.#note(`install ${metadata?.index}`),
      installed: ({ metadata }) => this.#note(`installed ${metadata?.index}`),
      readStates: (states) => this.#note(`reads at ${states.map(({ index }) => index).join(" ")}`),
      softState: ({ role }) => this.#note(`role ${role}`),
      send: (messages) => {
        for (const { index } of messages) this.#note(`send ${index}`);
      },
      fatal: (error) => void this.fatal.push(error),
    };
  }

  /** Raft has these to be done; what is noted until nothing more moves by itself. */
  async give(...readys: Partial<Ready>[]): Promise<string[]> {
    this.journal.length = 0;
    this.readys.push(...readys.map(readyOf));
    this.loop.schedule();
    await pass(this.clock, 0);
    return [...this.journal];
  }
}

function spanOf(all: readonly Entry[]): string {
  return all.length === 0 ? "nothing" : all.map(({ index }) => index).join(" ");
}

const message = (index: number) => Message.create({ index });

// ---- the order ---------------------------------------------------------------------------------------------------------

test("what is written is synced, then counts for raft, and only then leaves; what was on disk before is applied", async () => {
  const world = new World();
  const journal = await world.give({
    softState: { leaderId: 1n, role: "leader" },
    hardState: { term: 1, vote: 1n, commit: 1 },
    entries: entries(2, 3),
    committedEntries: [entry(1)],
    messages: [message(10)],
    messagesAfterSync: [message(20)],
    readStates: [{ index: 1, context: 1n }],
  });
  assert.deepEqual(journal, [
    "role leader",
    "send 10",
    "reads at 1",
    "save 2 3 commit 1",
    "synced",
    "persisted 2 3",
    "send 20",
    "apply 1",
    "raft: applied to 1",
    "applied through 1",
  ]);
});

test("a commit index alone is written without a sync; nothing to write is not written", async () => {
  const world = new World();
  assert.deepEqual(await world.give({ hardState: { term: 1, vote: 1n, commit: 1 }, committedEntries: [entry(1)] }), [
    "save nothing commit 1",
    "persisted nothing",
    "apply 1",
    "raft: applied to 1",
    "applied through 1",
  ]);
  assert.deepEqual(await world.give({ messages: [message(1)] }), ["send 1", "persisted nothing"]);
});

test("everything asked for in one turn is one round; a round takes all that raft has, in order", async () => {
  const world = new World();
  world.loop.schedule();
  world.loop.schedule();
  const journal = await world.give({ entries: entries(1, 1) }, { entries: entries(2, 2) });
  assert.deepEqual(journal, ["save 1", "synced", "persisted 1", "save 2", "synced", "persisted 2"]);
});

test("while a sync runs beside the loop nothing of its round counts and no other is begun, but applying goes on", async () => {
  const world = new World();
  world.mayApply = false;
  await world.give({ committedEntries: entries(1, 2) });
  world.mayBlock = false;
  const journal = await world.give(
    { entries: entries(3, 4), messages: [message(10)], messagesAfterSync: [message(20)], committedEntries: [] },
    { entries: entries(5, 5) },
  );
  assert.deepEqual(journal, ["send 10", "save 3 4", "sync begins"]);
  world.mayApply = true;
  assert.deepEqual(await world.give(), ["apply 1", "apply 2", "raft: applied to 2", "applied through 2"]);
  world.journal.length = 0;
  world.syncs[0]?.resolve();
  await pass(world.clock, 0);
  assert.deepEqual(world.journal, ["synced", "persisted 3 4", "send 20", "save 5", "sync begins"]);
  assert.equal(world.syncs.length, 2);
});

test("a read of a member alone waits for no sync beside the loop, and for the state that takes the place of ours", async () => {
  const world = new World();
  world.mayBlock = false;
  await world.give({ entries: entries(1, 1) });
  world.reads.push({ index: 7, context: 1n });
  assert.deepEqual(await world.give({ entries: entries(2, 2) }), ["reads at 7"]);
  world.syncs[0]?.resolve();
  await pass(world.clock, 0);
  world.syncs[1]?.resolve();
  await pass(world.clock, 0);
  const metadata = { index: 9, term: 1, confState: ConfState.create() };
  await world.give({ snapshot: { data: new Uint8Array(0), metadata } });
  world.reads.push({ index: 9, context: 2n });
  assert.ok(!(await world.give()).includes("reads at 9"));
  world.prepared.resolve();
  await pass(world.clock, 0);
  for (const sync of world.syncs) sync.resolve();
  await pass(world.clock, 0);
  assert.equal(world.journal.at(-1), "reads at 9");
});

/**
 * What was said to be safe and was not: whatever counts, leaves or is applied after a save must have a sync between
 * that began after it. Empty: every promise was kept.
 */
function brokenPromises(journal: readonly string[]): string[] {
  const broken: string[] = [];
  let unsynced: string[] = [];
  let inSync: string[] = [];
  for (const line of journal) {
    if (/^save \d/.test(line)) unsynced.push(line);
    if (line === "sync begins") {
      inSync = unsynced;
      unsynced = [];
    }
    if (line === "synced") {
      if (inSync.length === 0) unsynced = [];
      inSync = [];
    }
    const notSafe = [...inSync, ...unsynced];
    if (/^persisted \d/.test(line) && notSafe.length > 0) broken.push(`"${line}" before the sync of "${notSafe}"`);
    if (/^send 2/.test(line) && notSafe.length > 0) broken.push(`"${line}" before the sync of "${notSafe}"`);
  }
  return broken;
}

/** Runs a random program of rounds: writes, commits, syncs on the loop and beside it. */
async function randomRun(seed: number, world: World): Promise<void> {
  const prng = new Prng(seed);
  let last = 0;
  let committed = 0;
  for (let step = 0; step < 40; step++) {
    world.mayBlock = prng.chance(0.5);
    const count = prng.below(3);
    const commits = entries(committed + 1, committed + prng.below(last - committed + 1));
    committed = commits.at(-1)?.index ?? committed;
    world.readys.push(
      readyOf({
        entries: entries(last + 1, last + count),
        committedEntries: commits,
        messages: [message(100)],
        messagesAfterSync: count > 0 ? [message(200)] : [],
      }),
    );
    last += count;
    world.loop.schedule();
    if (prng.chance(0.5)) await pass(world.clock, 1);
    if (prng.chance(0.5)) world.syncs.at(-1)?.resolve();
  }
  for (let settling = 0; settling < 50; settling++) {
    for (const sync of world.syncs) sync.resolve();
    await pass(world.clock, 1);
  }
}

test("nothing counts, leaves or is acknowledged before its sync, in whatever order syncs end", async () => {
  let beside = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const world = new World();
    await randomRun(seed, world);
    assert.deepEqual(brokenPromises(world.journal), [], `seed ${seed}`);
    const applied = world.journal.filter((line) => line.startsWith("apply ")).map((line) => Number(line.slice(6)));
    assert.deepEqual(
      applied,
      [...applied.keys()].map((at) => at + 1),
      `seed ${seed}: each once, in order`,
    );
    assert.equal(world.readys.length, 0);
    beside += world.syncs.length;
  }
  assert.ok(beside > 50, "many syncs ran beside the loop");
});

test("the same check notices a loop that does not sync", async () => {
  const world = new World({ unsafeNoFsync: true });
  await randomRun(1, world);
  assert.ok(brokenPromises(world.journal).length > 10);
});

test("the same check notices a log whose sync ends before it is done", async () => {
  const world = new World({ syncEndsEarly: true });
  await randomRun(1, world);
  assert.ok(brokenPromises(world.journal).length > 3);
});

// ---- applying ------------------------------------------------------------------------------------------------------------

test("applying gives others their turn after some milliseconds, and goes on in the next", async () => {
  const world = new World();
  world.onto.apply = () => {
    world.spentMs++;
  };
  world.readys.push(readyOf({ committedEntries: entries(1, 80) }));
  world.loop.schedule();
  world.clock.soon(() => {
    world.journal.push("another's turn");
    world.clock.soon(() => world.journal.push("another's turn"));
  });
  await pass(world.clock, 0);
  const turns = world.journal.filter((line) => !line.startsWith("apply "));
  assert.deepEqual(turns, [
    "persisted nothing",
    "raft: applied to 32",
    "applied through 32",
    "another's turn",
    "raft: applied to 64",
    "applied through 64",
    "another's turn",
    "raft: applied to 80",
    "applied through 80",
  ]);
});

test("entries that are quick to apply are applied in one turn, however many", async () => {
  const world = new World();
  const journal = await world.give({ committedEntries: entries(1, 500) });
  assert.equal(journal.filter((line) => line.startsWith("applied through")).length, 1);
});

test("large entries are looked at by their bytes", async () => {
  const world = new World();
  world.onto.apply = () => {
    world.spentMs += 3;
  };
  const journal = await world.give({ committedEntries: entries(1, 4, 600 * 1024) });
  assert.deepEqual(
    journal.filter((line) => line.startsWith("applied through")),
    ["applied through 2", "applied through 4"],
  );
});

test("applying waits while there is no room, and goes on when it is asked again", async () => {
  const world = new World();
  world.onto.apply = (index) => {
    world.mayApply = index % 32 !== 0;
  };
  const first = await world.give({ committedEntries: entries(1, 40) });
  assert.equal(first.at(-1), "applied through 32");
  assert.deepEqual(await world.give({ committedEntries: entries(41, 42) }), ["persisted nothing"]);
  world.mayApply = true;
  assert.equal((await world.give()).at(-1), "applied through 42");
});

// ---- the end -------------------------------------------------------------------------------------------------------------

const DEAD_DISK = new Error("the disk is dead");
const die = () => {
  throw DEAD_DISK;
};

for (const [what, onto] of [
  ["a write", { save: die }],
  ["a sync on the loop", { syncNow: die }],
  ["raft", { persisted: die }],
  ["applying", { apply: die }],
] as const) {
  test(`${what} that fails is fatal: nothing more counts, and no other round begins`, async () => {
    const world = new World();
    Object.assign(world.onto, onto);
    const journal = await world.give({
      entries: entries(1, 1),
      committedEntries: [entry(0)],
      messagesAfterSync: [message(20)],
    });
    assert.deepEqual(world.fatal, [DEAD_DISK]);
    if (what !== "applying") assert.ok(!journal.includes("send 20"));
    assert.ok(!journal.includes("apply 0"));
    assert.deepEqual(await world.give({ entries: entries(2, 2) }), []);
  });
}

test("a sync beside the loop that fails is fatal: what it was for never counts", async () => {
  const world = new World();
  world.mayBlock = false;
  await world.give({ entries: entries(1, 1), messagesAfterSync: [message(20)] });
  world.syncs[0]?.reject(DEAD_DISK);
  await pass(world.clock, 0);
  assert.deepEqual(world.fatal, [DEAD_DISK]);
  assert.deepEqual(world.journal, ["save 1", "sync begins"]);
  assert.deepEqual(await world.give({ entries: entries(2, 2) }), []);
});

test("what fails after a sync beside the loop is fatal as well", async () => {
  const world = new World();
  world.mayBlock = false;
  world.onto.persisted = die;
  await world.give({ entries: entries(1, 1) });
  world.syncs[0]?.resolve();
  await pass(world.clock, 0);
  assert.deepEqual(world.fatal, [DEAD_DISK]);
  assert.deepEqual(await world.give({ entries: entries(2, 2) }), []);
});

test("after a stop nothing is begun, and a sync that ends then counts for nothing", async () => {
  const world = new World();
  world.mayBlock = false;
  await world.give({ entries: entries(1, 1), messagesAfterSync: [message(20)] });
  world.loop.stop();
  world.syncs[0]?.resolve();
  await pass(world.clock, 0);
  assert.deepEqual(world.journal, ["save 1", "sync begins", "synced"]);
  assert.deepEqual(await world.give({ entries: entries(2, 2) }), []);
  assert.deepEqual(world.fatal, []);
});

// ---- the state of another member ---------------------------------------------------------------------------------------

test("a received state waits until what was committed is applied, then the store is exchanged, then the log says so", async () => {
  const world = new World();
  world.isAlone = false;
  world.mayApply = false;
  const confState = ConfState.create({ voters: [1n] });
  const snapshot = { data: new Uint8Array(0), metadata: { index: 9, term: 2, confState } };
  const journal = await world.give(
    { committedEntries: entries(1, 2) },
    {
      snapshot,
      hardState: { term: 2, vote: 0n, commit: 9 },
      messages: [message(10)],
      messagesAfterSync: [message(20)],
      mustSync: true,
    },
    { entries: entries(10, 10) },
  );
  assert.deepEqual(journal, ["persisted nothing", "send 10"], "no round after it, and entries before it come first");
  world.mayApply = true;
  assert.deepEqual(await world.give(), ["apply 1", "apply 2", "raft: applied to 2", "applied through 2", "prepare 9"]);
  assert.deepEqual(await world.give(), [], "once");
  world.prepared.resolve();
  assert.deepEqual(await world.give(), ["install 9", "mark 9", "save nothing commit 9", "sync begins", "save 10"]);
  world.journal.length = 0;
  world.syncs[0]?.resolve();
  await pass(world.clock, 0);
  assert.deepEqual(world.journal, ["synced", "persisted nothing", "installed 9", "send 20", "sync begins"]);
});

test("a state that cannot take the place of ours ends the member", async () => {
  const world = new World();
  const snapshot = { data: new Uint8Array(0), metadata: { index: 9, term: 2, confState: ConfState.create() } };
  await world.give({ snapshot, mustSync: true });
  world.prepared.reject(new Error("no disk"));
  assert.deepEqual(await world.give({ entries: entries(1, 1) }), []);
  assert.equal(world.fatal.length, 1);
});
