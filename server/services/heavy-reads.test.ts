import assert from "node:assert/strict";
import { test } from "node:test";
import { settle } from "../../test/support/recording-outlet.ts";
import {
  ANSWER_MAX_BYTES,
  HELD_MAX_BYTES,
  HeavyReads,
  type Steps,
  TURN_MS,
  UNSENT_MAX_BYTES,
  UNSENT_OF_ALL_MAX_BYTES,
} from "./heavy-reads.ts";

/** A clock on which only steps take time. */
class StepClock {
  nowMs = 0;
  #soon: (() => void)[] = [];
  readonly rests: { readonly delayMs: number; readonly action: () => void }[] = [];

  monotonicMs(): number {
    return this.nowMs;
  }
  soon(action: () => void): void {
    this.#soon.push(action);
  }
  after(delayMs: number, action: () => void): void {
    this.rests.push({ delayMs, action });
  }
  /** One turn of the loop; false: nothing was to be done. */
  turn(): boolean {
    const actions = this.#soon;
    this.#soon = [];
    for (const action of actions) action();
    return actions.length > 0;
  }
}

class World {
  readonly clock = new StepClock();
  readonly reads = new HeavyReads(this.clock);
  /** Whose steps were done, in order. */
  readonly log: string[] = [];

  *steps(name: string, count: number, options: { stepMs?: number; bytes?: number } = {}): Steps<string> {
    for (let step = 1; step <= count; step++) {
      this.clock.nowMs += options.stepMs ?? 0.5;
      this.log.push(name);
      if (step < count) yield step * (options.bytes ?? 0);
    }
    return name;
  }
}

/** A caller, as far as reads look at it. */
class Caller {
  readonly remoteAddress: string;
  canceled = false;
  unsentBytes = 0;
  unsentOfAllBytes: number;
  #actions: (() => void)[] = [];

  constructor(remoteAddress: string, unsentOfAllBytes = 0) {
    this.remoteAddress = remoteAddress;
    this.unsentOfAllBytes = unsentOfAllBytes;
  }
  onCanceled(action: () => void): void {
    this.#actions.push(action);
  }
  cancel(): void {
    this.canceled = true;
    for (const action of this.#actions) action();
  }
}

function reader(remoteAddress: string): Caller {
  return new Caller(remoteAddress);
}

test("what is short is answered at once while the turn has time, and the next turn has as much again", () => {
  const { clock, reads, steps, log } = bound(new World());
  assert.equal(reads.run(reader("a"), steps("one", 1)), "one");
  assert.equal(reads.run(reader("a"), steps("two", 1)), "two");
  assert.ok(reads.run(reader("a"), steps("three", 1)) instanceof Promise, "the share of this turn is spent");
  clock.turn();
  clock.turn();
  assert.deepEqual(log, ["one", "two", "three"]);
  assert.equal(reads.run(reader("a"), steps("four", 1)), "four");
});

test("a turn takes its share and no more, whatever waits", async () => {
  const { clock, reads, steps, log } = bound(new World());
  const answers = Array.from({ length: 10 }, (_, at) => reads.run(reader(`c${at}`), steps(`r${at}`, 20)));
  for (let before = log.length; reads.size > 0; before = log.length) {
    const startedMs = clock.nowMs;
    assert.ok(clock.turn());
    assert.ok(clock.nowMs - startedMs <= TURN_MS + 0.5, `${clock.nowMs - startedMs} ms in one turn`);
    assert.ok(log.length > before);
  }
  assert.deepEqual(
    await Promise.all(answers),
    Array.from({ length: 10 }, (_, at) => `r${at}`),
  );
});

test("connections take steps by turns: many reads of one do not hold up the one of another", async () => {
  const { clock, reads, steps, log } = bound(new World());
  for (let read = 0; read < 50; read++) void reads.run(reader("greedy"), steps("greedy", 100));
  const answer = reads.run(reader("modest"), steps("modest", 10));
  const before = log.length;
  while (log.filter((name) => name === "modest").length < 10) clock.turn();
  assert.equal(await answer, "modest");
  assert.ok(log.length - before <= 20 + 2, `${log.length - before} steps until the modest one had its ten`);
});

test("a step that cannot be cut is followed by as long a rest", () => {
  const { clock, reads, steps } = bound(new World());
  void reads.run(reader("a"), steps("spends", 2));
  void reads.run(reader("a"), steps("hash", 2, { stepMs: 200 }));
  clock.turn();
  while (clock.turn());
  assert.equal(clock.rests[0]?.delayMs, 200);
});

test("refusals reach their caller, at once or later, and others go on", async () => {
  const { clock, reads, steps } = bound(new World());
  const failing = function* (after: number): Steps<never> {
    for (let step = 0; step < after; step++) {
      clock.nowMs += 1;
      yield 0;
    }
    throw new TypeError("refused");
  };
  assert.throws(() => reads.run(reader("a"), failing(0)), TypeError);
  const later = Promise.resolve(reads.run(reader("a"), failing(3)));
  const other = reads.run(reader("a"), steps("other", 3));
  const refused = assert.rejects(later, TypeError);
  while (clock.turn());
  await refused;
  assert.equal(await other, "other");
  assert.equal(reads.size, 0);
});

test("a read whose caller has gone ends without another step", async () => {
  const { clock, reads, steps, log } = bound(new World());
  const gone = reader("a");
  const answer = Promise.resolve(reads.run(gone, steps("gone", 100)));
  const before = log.length;
  gone.cancel();
  await assert.rejects(answer, { code: "Canceled" });
  assert.throws(() => reads.run(gone, steps("more", 1)), { code: "Canceled" });
  while (clock.turn());
  assert.equal(log.length, before);
  assert.equal(reads.size, 0);
});

test("reads that are given up faster than turns come leave nothing behind, and their connection goes on", async () => {
  const { clock, reads, steps } = bound(new World());
  const refusals: Promise<void>[] = [];
  const first = reads.run(reader("a"), steps("first", 3));
  for (let at = 0; at < 1000; at++) {
    const hasty = reader("a");
    refusals.push(assert.rejects(Promise.resolve(reads.run(hasty, steps("hasty", 3))), { code: "Canceled" }));
    hasty.cancel();
  }
  assert.equal(reads.size, 1);
  const last = reads.run(reader("a"), steps("last", 3));
  while (clock.turn());
  assert.deepEqual([await first, await last, reads.size], ["first", "last", 0]);
  await Promise.all(refusals);
});

test("a connection that does not take its answers gets no further ones, and nobody spins meanwhile", async () => {
  const { clock, reads, steps, log } = bound(new World());
  const slow = reader("slow");
  slow.unsentBytes = UNSENT_MAX_BYTES + 1;
  void reads.run(slow, steps("slow", 5));
  const other = reads.run(reader("other"), steps("other", 3));
  while (clock.turn());
  assert.equal(await other, "other");
  const before = log.length;
  assert.equal(clock.rests.length, 1, "it is looked at again later");
  slow.unsentBytes = 0;
  clock.rests.shift()?.action();
  while (clock.turn());
  assert.ok(log.length > before);
  assert.equal(reads.size, 0);
});

test("beyond what reads may hold together only one goes on beside those that hold little", async () => {
  const { clock, reads, steps, log } = bound(new World());
  const bytes = HELD_MAX_BYTES / 8;
  const big = ["a", "b", "c"].map((name) => reads.run(reader(name), steps(name, 20, { bytes })));
  for (let turns = 0; turns < 12; turns++) clock.turn();
  const small = reads.run(reader("small"), steps("small", 4, { bytes: 10 }));
  const at = log.length;
  while (clock.turn());
  await settle();
  assert.equal(await small, "small");
  assert.deepEqual(await Promise.all(big), ["a", "b", "c"]);
  // From the moment the bound was met on, the steps of one are together.
  const later = log.slice(at).filter((name) => name !== "small");
  const changes = later.filter((name, index) => index > 0 && name !== later[index - 1]).length;
  assert.ok(changes <= 6, later.join(""));
});

test("answers that wait for their peers count with what reads hold, and beyond a second bound nothing large goes on", async () => {
  const { clock, reads, steps, log } = bound(new World());
  const readers = ["a", "b"].map((name) => new Caller(name, HELD_MAX_BYTES));
  const big = readers.map((one) => reads.run(one, steps(one.remoteAddress, 6, { bytes: HELD_MAX_BYTES / 16 })));
  while (clock.turn());
  assert.deepEqual(await Promise.all(big), ["a", "b"]);
  const changes = log.filter((name, index) => index > 0 && name !== log[index - 1]).length;
  assert.ok(changes <= 4, `one after another: ${log.join("")}`);

  const blocked = new Caller("c", UNSENT_OF_ALL_MAX_BYTES + 1);
  const later = reads.run(blocked, steps("c", 6, { bytes: HELD_MAX_BYTES / 16 }));
  const small = reads.run(new Caller("d", UNSENT_OF_ALL_MAX_BYTES + 1), steps("d", 6, { bytes: 10 }));
  while (clock.turn());
  assert.equal(await small, "d");
  assert.equal(reads.size, 1);
  blocked.unsentOfAllBytes = 0;
  clock.rests.shift()?.action();
  while (clock.turn());
  assert.equal(await later, "c");
});

test("a large read whose connection is behind keeps no other one back", async () => {
  const { clock, reads, steps } = bound(new World());
  const behind = reader("behind");
  const gone = Promise.resolve(reads.run(behind, steps("behind", 50, { bytes: HELD_MAX_BYTES / 8 })));
  for (let turns = 0; turns < 10; turns++) clock.turn();
  behind.unsentBytes = UNSENT_MAX_BYTES + 1;
  const other = reads.run(reader("other"), steps("other", 5, { bytes: HELD_MAX_BYTES / 16 }));
  while (clock.turn());
  assert.equal(await other, "other");
  const refused = assert.rejects(gone, { code: "Canceled" });
  behind.cancel();
  clock.rests.shift()?.action();
  while (clock.turn());
  await refused;
});

test("an answer that is too long is refused", async () => {
  const { clock, reads, steps } = bound(new World());
  const answer = Promise.resolve(reads.run(reader("a"), steps("a", 9, { bytes: ANSWER_MAX_BYTES / 4 })));
  const refused = assert.rejects(answer, { code: "TooManyRequests" });
  while (clock.turn());
  await refused;
});

function bound(world: World) {
  return { clock: world.clock, reads: world.reads, log: world.log, steps: world.steps.bind(world) };
}
