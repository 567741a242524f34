import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, EtcdError } from "../base/error.ts";
import { Prng } from "../base/prng.ts";
import { CHECKPOINTS_PER_REQUEST } from "./checkpoint.ts";
import { EXPIRY_RETRY_MS, Lessor } from "./lessor.ts";

const ELECTION_MS = 1000;

function lessor(): Lessor {
  return new Lessor({ minTtlSeconds: 2 });
}

function primary(nowMs = 0): Lessor {
  const leases = lessor();
  leases.promote(nowMs, ELECTION_MS);
  return leases;
}

function refuses(code: ErrorCode, action: () => unknown): void {
  assert.throws(action, (error) => error instanceof EtcdError && error.code === code);
}

// --- grant ---

test("grant raises a ttl below the minimum, zero and negative ones too, and answers the effective one", () => {
  const leases = lessor();
  assert.equal(leases.grant(1n, 60).ttlSeconds, 60);
  assert.equal(leases.grant(2n, 2).ttlSeconds, 2);
  assert.equal(leases.grant(3n, 1).ttlSeconds, 2);
  assert.equal(leases.grant(4n, 0).ttlSeconds, 2);
  assert.equal(leases.grant(5n, -7).ttlSeconds, 2);
});

test("grant takes 9e9 seconds and refuses one more, and what saturated", () => {
  const leases = lessor();
  assert.equal(leases.grant(1n, 9_000_000_000).ttlSeconds, 9_000_000_000);
  refuses("LeaseTtlTooLarge", () => leases.grant(2n, 9_000_000_001));
  refuses("LeaseTtlTooLarge", () => leases.grant(2n, Number.MAX_SAFE_INTEGER));
  assert.equal(leases.size, 1);
});

test("grant refuses an id in use, and takes negative ids and a revoked one again", () => {
  const leases = lessor();
  leases.grant(-5n, 60);
  refuses("LeaseExists", () => leases.grant(-5n, 60));
  leases.revoke(-5n);
  leases.grant(-5n, 60);
  refuses("LeaseNotFound", () => leases.grant(0n, 60));
});

// --- keys ---

test("a key hangs on at most one lease: attaching it to another moves it", () => {
  const leases = lessor();
  leases.grant(1n, 60);
  leases.grant(2n, 60);
  leases.attach(1n, "a");
  leases.attach(1n, "a");
  leases.attach(2n, "a");
  assert.equal(leases.leaseOf("a"), 2n);
  assert.deepEqual(leases.keysOf(1n), []);
  assert.deepEqual(leases.keysOf(2n), ["a"]);
  leases.detach("a");
  leases.detach("a");
  assert.equal(leases.leaseOf("a"), 0n);
  assert.deepEqual(leases.keysOf(2n), []);
  refuses("LeaseNotFound", () => leases.attach(9n, "a"));
});

test("revoke answers the keys in the order of their bytes and forgets the lease", () => {
  const leases = lessor();
  leases.grant(1n, 60);
  for (const key of ["b", "\xff", "a", "ab", "\x00"]) leases.attach(1n, key);
  assert.deepEqual(leases.revoke(1n), ["\x00", "a", "ab", "b", "\xff"]);
  assert.equal(leases.lookup(1n), undefined);
  assert.equal(leases.leaseOf("a"), 0n);
  refuses("LeaseNotFound", () => leases.revoke(1n));
  leases.detach("a"); // apply deletes the keys afterwards: nothing to take them from
});

// --- expiry ---

test("a lease granted on the primary lives its whole ttl from the first moment the time is known", () => {
  const leases = primary();
  leases.due(10_000, 10);
  leases.grant(1n, 5); // really at 10.4 s; apply has no clock
  assert.deepEqual(leases.due(10_500, 10), []);
  assert.equal(leases.isExpired(1n, 15_499), false);
  assert.equal(leases.isExpired(1n, 15_500), true);
  assert.deepEqual(leases.due(15_499, 10), []);
  assert.deepEqual(leases.due(15_500, 10), [1n]);
});

test("nothing expires on a follower, and after a demotion", () => {
  const leases = lessor();
  leases.grant(1n, 5);
  assert.deepEqual(leases.due(1e9, 10), []);
  assert.equal(leases.isExpired(1n, 1e9), false);
  refuses("NotPrimaryLessor", () => leases.remainingSeconds(1n, 0));
  leases.promote(0, 0);
  leases.demote();
  assert.equal(leases.isPrimary, false);
  assert.deepEqual(leases.due(1e9, 10), []);
  assert.deepEqual(leases.dueCheckpoints(1e9, 10), []);
});

test("an expired lease is offered once per retry interval until it is revoked", () => {
  const leases = primary();
  leases.grant(1n, 5);
  leases.due(0, 10);
  assert.deepEqual(leases.due(5000, 10), [1n]);
  assert.deepEqual(leases.due(5500, 10), []);
  assert.deepEqual(leases.due(5000 + EXPIRY_RETRY_MS - 1, 10), []);
  assert.deepEqual(leases.due(5000 + EXPIRY_RETRY_MS, 10), [1n]);
  leases.revoke(1n);
  assert.deepEqual(leases.due(1e9, 10), []);
});

test("due keeps to its limit, the longest expired first; the rest comes next time", () => {
  const leases = primary();
  for (let id = 1n; id <= 5n; id++) leases.grant(id, 20 - Number(id));
  leases.due(0, 10);
  assert.deepEqual(leases.due(60_000, 2), [5n, 4n]);
  assert.deepEqual(leases.due(60_500, 10), [3n, 2n, 1n]);
});

test("a lease revoked and granted again under its id does not inherit the old expiry", () => {
  const leases = primary();
  leases.grant(1n, 5);
  leases.due(0, 10);
  leases.revoke(1n);
  leases.grant(1n, 100);
  leases.due(1000, 10);
  assert.deepEqual(leases.due(100_999, 10), []);
  assert.deepEqual(leases.due(101_000, 10), [1n]);
});

// --- renewal ---

test("renew gives the whole ttl again", () => {
  const leases = primary();
  leases.grant(1n, 10);
  leases.due(0, 10);
  assert.equal(leases.renew(1n, 9_999), 10);
  assert.deepEqual(leases.due(19_998, 10), []);
  assert.deepEqual(leases.due(19_999, 10), [1n]);
});

test("renew of a lease that was never armed arms it", () => {
  const leases = primary();
  leases.grant(1n, 10);
  assert.equal(leases.renew(1n, 4_000), 10);
  assert.equal(leases.remainingSeconds(1n, 4_000), 10);
});

test("renew of an expired lease answers 0 until its revoke is applied, then LeaseNotFound (etcd #20616)", () => {
  const leases = primary();
  leases.grant(1n, 5);
  leases.due(0, 10);
  assert.equal(leases.renew(1n, 5_000), 0);
  assert.equal(leases.isExpired(1n, 5_000), true);
  assert.equal(leases.renew(1n, 5_100), 0);
  leases.revoke(1n);
  refuses("LeaseNotFound", () => leases.renew(1n, 5_200));
});

test("renew is refused where this lessor is not the primary, whether the lease is known or not", () => {
  const leases = lessor();
  leases.grant(1n, 5);
  refuses("NotPrimaryLessor", () => leases.renew(1n, 0));
  refuses("NotPrimaryLessor", () => leases.renew(2n, 0));
});

test("a renewal waiting for a revoke that was lost with the leadership ends in NotPrimaryLessor", () => {
  const leases = primary();
  leases.grant(1n, 5);
  leases.due(0, 10);
  assert.equal(leases.renew(1n, 6_000), 0);
  leases.demote();
  refuses("NotPrimaryLessor", () => leases.renew(1n, 6_100));
});

// --- what TimeToLive shows ---

test("remainingSeconds rounds towards zero and goes negative while a revoke is pending", () => {
  const leases = primary();
  leases.grant(1n, 5);
  assert.equal(leases.remainingSeconds(1n, 0), 5);
  assert.equal(leases.remainingSeconds(1n, 1), 4);
  assert.equal(leases.remainingSeconds(1n, 4_999), 0);
  assert.ok(Object.is(leases.remainingSeconds(1n, 5_999), 0));
  assert.equal(leases.remainingSeconds(1n, 6_000), -1);
  refuses("LeaseNotFound", () => leases.remainingSeconds(2n, 0));
});

test("leases come by expiry, those granted since the last tick among them; on a follower by id", () => {
  const leases = primary();
  leases.grant(1n, 30);
  leases.grant(2n, 10);
  leases.due(1_000, 10);
  leases.grant(3n, 20);
  assert.deepEqual(
    leases.leases().map((lease) => lease.id),
    [2n, 3n, 1n],
  );
  leases.demote();
  assert.deepEqual(
    leases.leases().map((lease) => lease.id),
    [1n, 2n, 3n],
  );
});

test("leases are listed in slices while some come and go", () => {
  const leases = primary();
  for (let id = 1n; id <= 10_000n; id++) leases.grant(id, 10 + Number((id * 7n) % 1_000n));
  leases.due(0, 1);
  const steps = leases.leasesInSlices();
  let slices = 0;
  let step = steps.next();
  for (; step.done !== true; step = steps.next()) {
    slices++;
    if (slices <= 10) leases.revoke(BigInt(slices));
    leases.grant(BigInt(20_000 + slices), 5);
  }
  assert.ok(slices >= 5, `${slices} slices`);
  const ids = step.value.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (let id = 11n + BigInt(slices); id <= 10_000n; id += 97n) assert.ok(ids.includes(id));
});

test("listing leases does not start their time", () => {
  const leases = primary();
  leases.due(1_000, 10);
  leases.grant(1n, 5);
  leases.leases();
  leases.due(1_400, 10);
  assert.deepEqual(leases.due(6_399, 10), []);
  assert.deepEqual(leases.due(6_400, 10), [1n]);
});

// --- change of leader ---

test("promote gives every lease its whole ttl and the extension", () => {
  const leases = lessor();
  leases.grant(1n, 10);
  leases.restore(2n, 20, 0);
  leases.promote(50_000, ELECTION_MS);
  assert.equal(leases.remainingSeconds(1n, 50_000), 11);
  assert.deepEqual(leases.due(60_999, 10), []);
  assert.deepEqual(leases.due(61_000, 10), [1n]);
  assert.deepEqual(leases.due(71_000, 10), [1n, 2n]);
});

test("promote starts from the checkpointed rest, also after a restart (etcd #13508, #14253)", () => {
  const leases = lessor();
  leases.grant(1n, 10_000);
  leases.checkpoint(1n, 4_000);
  leases.restore(2n, 10_000, 3_000);
  for (let leader = 0; leader < 3; leader++) {
    leases.promote(leader * 1000, ELECTION_MS);
    assert.equal(leases.remainingSeconds(1n, leader * 1000), 4_001);
    assert.equal(leases.remainingSeconds(2n, leader * 1000), 3_001);
    leases.demote();
  }
});

test("a checkpoint of 0, replicated before a renewal, gives the next leader the whole ttl", () => {
  const leases = lessor();
  leases.grant(1n, 10_000);
  leases.checkpoint(1n, 4_000);
  leases.promote(0, 0);
  assert.equal(leases.lookup(1n)?.remainingTtlSeconds, 4_000);
  leases.checkpoint(1n, 0);
  assert.equal(leases.renew(1n, 0), 10_000);
  leases.demote();
  leases.promote(0, 0);
  assert.equal(leases.remainingSeconds(1n, 0), 10_000);
});

test("a process suspended for longer than the ttl loses nothing by being promoted again (no early loss)", () => {
  const leases = primary();
  leases.grant(1n, 5);
  leases.due(0, 10);
  leases.demote();
  leases.promote(100_000, ELECTION_MS);
  assert.deepEqual(leases.due(105_999, 10), []);
  assert.deepEqual(leases.due(106_000, 10), [1n]);
});

test("a lease granted on the primary and never armed is armed by a promotion", () => {
  const leases = primary();
  leases.grant(1n, 5);
  leases.promote(1_000, 0);
  leases.due(3_000, 10);
  assert.equal(leases.remainingSeconds(1n, 1_000), 5);
});

test("promote spreads out what would end together: no second gets more than 750 of 1000 or more leases", () => {
  const leases = lessor();
  for (let id = 1n; id <= 5_000n; id++) leases.grant(id, 60);
  for (let id = 5_001n; id <= 5_400n; id++) leases.grant(id, 62);
  leases.promote(500, 0);
  while (leases.armSome(100));
  const perSecond = new Map<number, number>();
  for (const lease of leases.leases()) {
    assert.ok(lease.expiryMs >= 500 + lease.ttlSeconds * 1000, "never earlier");
    const second = Math.floor(lease.expiryMs / 1000);
    perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
  }
  assert.ok([...perSecond.values()].every((count) => count <= 750));
  assert.equal(Math.max(...perSecond.keys()), 60 + 7); // 5400 leases at 750 a second, without a hole
  // Those that end at 62 s by themselves are not moved.
  assert.ok(leases.leases().every((lease) => lease.ttlSeconds === 60 || lease.expiryMs === 62_500));
});

test("a promotion does at once only what does not grow with the leases, and a lease asked for comes before its turn", () => {
  const leases = lessor();
  for (let id = 1n; id <= 10_000n; id++) leases.grant(id, 60 + Number(id % 100n));
  leases.promote(0, 0);
  let slices = 0;
  assert.equal(leases.remainingSeconds(9_999n, 0), 159, "before its turn");
  assert.equal(leases.renew(9_998n, 1_000), 158);
  assert.deepEqual(leases.due(60_000, 10), [], "one whose turn has not come is not offered");
  while (leases.armSome(1_000)) slices++;
  assert.ok(slices >= 15, `${slices} slices`); // every lease is met twice: counted, then placed
  assert.equal(leases.remainingSeconds(9_998n, 1_000), 158, "its turn does not take back what a renewal gave");
  assert.equal(leases.due(60_000, 10_000).length, 100);
  leases.demote();
  assert.equal(leases.lookup(1n)?.expiryMs, Number.POSITIVE_INFINITY);
  assert.deepEqual(leases.due(1e9, 10), []);
});

test("what is granted faster than armed is armed in slices, counted from the moment the time was seen", () => {
  const leases = primary();
  for (let id = 1n; id <= 5_000n; id++) leases.grant(id, 10);
  leases.due(1_000, 1);
  for (let id = 5_001n; id <= 6_000n; id++) leases.grant(id, 10);
  assert.equal(leases.armSome(10_000), false, "the last thousand wait for the time");
  leases.due(2_000, 1);
  while (leases.armSome(100));
  assert.equal(leases.due(11_000, 10_000).length, 5_000);
  assert.equal(leases.due(12_000, 10_000).length, 1_000);
});

test("promote does not move leases that are fewer than a second's revokes, or already apart", () => {
  const few = lessor();
  for (let id = 1n; id <= 999n; id++) few.grant(id, 60);
  few.promote(0, 0);
  assert.ok(few.leases().every((lease) => lease.expiryMs === 60_000));
  const apart = lessor();
  for (let id = 1n; id <= 3_000n; id++) apart.grant(id, 60 + Number(id % 10n));
  apart.promote(0, 0);
  while (apart.armSome(100));
  assert.ok(apart.leases().every((lease) => lease.expiryMs === lease.ttlSeconds * 1000));
});

// --- checkpoints ---

test("only leases with more than the interval left are checkpointed, every interval", () => {
  const leases = primary();
  leases.grant(1n, 300);
  leases.grant(2n, 301);
  leases.grant(3n, 1_000);
  leases.due(0, 10);
  assert.deepEqual(leases.dueCheckpoints(299_999, 10), []);
  assert.deepEqual(leases.dueCheckpoints(300_000, 10), [
    { id: 2n, remainingTtl: 1 },
    { id: 3n, remainingTtl: 700 },
  ]);
  assert.deepEqual(leases.dueCheckpoints(300_500, 10), []);
  assert.deepEqual(leases.dueCheckpoints(600_000, 10), [{ id: 3n, remainingTtl: 400 }]);
  assert.deepEqual(leases.dueCheckpoints(900_000, 10), [{ id: 3n, remainingTtl: 100 }]);
  assert.deepEqual(leases.dueCheckpoints(999_000, 10), []); // 100 s at the last look: too short to come again
});

test("a lease renewed just before its checkpoint has nothing to tell, and keeps its turn", () => {
  const leases = primary();
  leases.grant(1n, 1_000);
  leases.due(0, 10);
  leases.renew(1n, 299_900);
  assert.deepEqual(leases.dueCheckpoints(300_000, 10), []);
  assert.deepEqual(leases.dueCheckpoints(600_000, 10), [{ id: 1n, remainingTtl: 700 }]);
});

test("a lease that had become too short for checkpoints takes part again once renewed", () => {
  const leases = primary();
  leases.grant(1n, 500);
  leases.due(0, 10);
  assert.deepEqual(leases.dueCheckpoints(300_000, 10), [{ id: 1n, remainingTtl: 200 }]);
  leases.renew(1n, 400_000);
  assert.deepEqual(leases.dueCheckpoints(700_000, 10), [{ id: 1n, remainingTtl: 200 }]);
});

test("checkpoints go at most a thousand a request, and expired or revoked leases not at all", () => {
  const leases = primary();
  for (let id = 1n; id <= 2_500n; id++) leases.grant(id, 1_000);
  leases.grant(5_000n, 301);
  leases.grant(5_001n, 1_000);
  leases.due(0, 1);
  leases.revoke(5_001n);
  while (leases.armSome(1_000));
  const sizes = [1, 2, 3, 4].map(() => leases.dueCheckpoints(400_000, CHECKPOINTS_PER_REQUEST).length);
  assert.deepEqual(sizes, [1_000, 1_000, 500, 0]);
});

test("a checkpoint of an unknown lease is no error", () => {
  lessor().checkpoint(77n, 5);
});

// --- bounds ---

test("a hundred thousand grants and revokes leave nothing behind (etcd #13205, #11731)", () => {
  const leases = primary();
  for (let id = 1n; id <= 100_000n; id++) {
    leases.grant(id, 1e9);
    leases.attach(id, "k");
    if (id % 100n === 0n) leases.due(Number(id), 10);
    leases.revoke(id);
  }
  leases.due(200_000, 10);
  assert.deepEqual(leases.stats(), { granted: 100_000, revoked: 100_000, renewed: 0, leases: 0, attachedKeys: 0 });
  assert.deepEqual(leases.due(1e15, 10), []);
  assert.deepEqual(leases.dueCheckpoints(1e15, 10), []);
});

test("adopt takes the leases and keys of another lessor for its own, and their time begins with the next promotion", () => {
  const leases = lessor();
  leases.grant(1n, 5);
  leases.attach(1n, "a");
  leases.promote(0, ELECTION_MS);
  leases.demote();
  const others = lessor();
  others.restore(2n, 1, 0);
  others.restore(3n, 100, 40);
  others.attach(3n, "b");
  leases.adopt(others);
  assert.equal(leases.size, 2);
  assert.equal(leases.leaseOf("a"), 0n);
  assert.equal(leases.leaseOf("b"), 3n);
  assert.equal(leases.lookup(2n)?.ttlSeconds, 2);
  leases.promote(1000, ELECTION_MS);
  assert.equal(leases.remainingSeconds(3n, 1000), 41);
});

// --- against a plain model ---

test("under random use no lease is offered early, none is forgotten, and keys agree with a plain model", () => {
  for (let seed = 1; seed <= 10; seed++) randomRun(seed);
});

interface Plain {
  ttl: number;
  /** Earliest moment it may be offered, and the moment from which it must be. */
  expiry: number;
  offered: number;
  keys: Set<string>;
}

function randomRun(seed: number): void {
  const random = new Prng(seed);
  const leases = lessor();
  const plain = new Map<bigint, Plain>();
  let now = 0;
  let leads = false;
  const fresh = new Set<Plain>(); // granted since the last timed call
  const timed = () => {
    for (const one of fresh) one.expiry = now + one.ttl * 1000;
    fresh.clear();
  };
  for (let step = 0; step < 3_000; step++) {
    const id = BigInt(1 + random.below(30));
    const known = plain.get(id);
    switch (random.below(10)) {
      case 0:
      case 1: {
        const ttl = random.below(40) - 5;
        if (known !== undefined) refuses("LeaseExists", () => leases.grant(id, ttl));
        else {
          const one = {
            ttl: leases.grant(id, ttl).ttlSeconds,
            expiry: Infinity,
            offered: -Infinity,
            keys: new Set(""),
          };
          plain.set(id, one);
          if (leads) fresh.add(one);
        }
        break;
      }
      case 2: {
        if (known === undefined) refuses("LeaseNotFound", () => leases.revoke(id));
        else {
          assert.deepEqual(leases.revoke(id), [...known.keys].sort());
          plain.delete(id);
          fresh.delete(known);
        }
        break;
      }
      case 3: {
        const key = `k${random.below(20)}`;
        if (random.chance(0.3)) {
          leases.detach(key);
          for (const one of plain.values()) one.keys.delete(key);
        } else if (known !== undefined) {
          leases.attach(id, key);
          for (const one of plain.values()) one.keys.delete(key);
          known.keys.add(key);
          assert.equal(leases.leaseOf(key), id);
        }
        break;
      }
      case 4: {
        if (!leads) refuses("NotPrimaryLessor", () => leases.renew(id, now));
        else {
          timed();
          if (known === undefined) refuses("LeaseNotFound", () => leases.renew(id, now));
          else if (known.expiry <= now) assert.equal(leases.renew(id, now), 0);
          else {
            assert.equal(leases.renew(id, now), known.ttl);
            known.expiry = now + known.ttl * 1000;
          }
        }
        break;
      }
      case 5: {
        if (!random.chance(0.1)) break;
        leads = random.chance(0.7);
        fresh.clear();
        if (leads) leases.promote(now, ELECTION_MS);
        else leases.demote();
        for (const one of plain.values()) {
          one.expiry = leads ? now + ELECTION_MS + one.ttl * 1000 : Infinity;
          one.offered = -Infinity;
        }
        break;
      }
      default: {
        now += random.below(1_500);
        if (leads) timed();
        const expected = [...plain].filter(([, one]) => one.expiry <= now && one.offered + EXPIRY_RETRY_MS <= now);
        const offered = leases.due(now, 1_000);
        assert.deepEqual([...offered].sort(), expected.map(([one]) => one).sort(), `seed ${seed} step ${step}`);
        for (const [, one] of expected) one.offered = now;
        for (const [one, { expiry }] of plain) assert.equal(leases.isExpired(one, now), expiry <= now);
      }
    }
    assert.equal(leases.size, plain.size);
  }
}
