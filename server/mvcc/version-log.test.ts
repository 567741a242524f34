import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/prng.ts";
import { type Chain, NONE, VersionLog } from "./version-log.ts";

/** A key's older versions, in the log and in an array that must agree. */
class Key implements Chain {
  newest = NONE;
  count = 0;
  readonly mains: number[] = [];
  readonly #log: VersionLog;

  constructor(log: VersionLog) {
    this.#log = log;
  }

  add(main: number): void {
    this.newest = this.#log.add(this, main, main % 7, main - 1, main % 5);
    this.count++;
    this.mains.push(main);
  }

  take(count: number): void {
    const taken = this.#log.takeOldest(this, count).map(({ main }) => main);
    assert.deepEqual(taken, this.mains.splice(0, count));
    this.count -= count;
    if (this.count === 0) this.newest = NONE;
  }

  check(revision: number): void {
    const expected = this.mains.findLast((main) => main <= revision);
    const place = this.#log.floor(this, revision);
    if (expected === undefined) assert.equal(place, NONE);
    else {
      const found = { main: expected, sub: expected % 7, created: expected - 1, version: expected % 5 };
      assert.deepEqual(this.#log.at(place), found);
      assert.equal(this.#log.countBelow(this, place), this.mains.indexOf(expected));
    }
  }

  checkAll(): void {
    const visited: number[] = [];
    if (this.count > 0) this.#log.forEachFrom(this, this.newest, ({ main }) => visited.push(main));
    assert.deepEqual(visited.reverse(), this.mains);
  }
}

test("many chains that grow at one end and shrink at the other find every version, in places used again", () => {
  const log = new VersionLog();
  const prng = new Prng(11);
  const keys = Array.from({ length: 20 }, () => new Key(log));
  for (let main = 1; main <= 40_000; main++) {
    const key = keys[prng.below(1 + prng.below(keys.length))] as Key;
    if (prng.below(4) > 0) key.add(main);
    else key.take(prng.below(prng.below(50) === 0 ? key.count + 1 : Math.min(key.count + 1, 8)));
    if (main % 10 === 0) key.check(prng.below(main + 10));
    if (main % 2000 === 0) for (const one of keys) one.checkAll();
  }
});

test("a version of a long chain is found in few steps, also after its oldest half has gone", () => {
  const log = new VersionLog();
  const key = new Key(log);
  for (let main = 1; main <= 300_000; main++) key.add(main * 2);
  const look = () => {
    for (let at = 0; at < 2000; at++) {
      const revision = (at * 7919) % 600_010;
      const floor = Math.min(600_000, revision - (revision % 2));
      const place = log.floor(key, revision);
      assert.equal(place === NONE ? 0 : log.at(place).main, floor <= (key.mains[0] as number) - 2 ? 0 : floor);
    }
  };
  look(); // 2000 walks along the whole chain would take minutes
  key.take(150_000);
  look();
  for (let main = 300_001; main <= 300_100; main++) key.add(main * 2);
  assert.equal(log.at(log.floor(key, 500_001)).main, 500_000);
});
