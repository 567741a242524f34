import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Prng } from "../../server/base/prng.ts";
import { FakeKube } from "../../test/operator/fake-kube.ts";
import { VirtualTime } from "../../test/operator/virtual-time.ts";
import type { Kube } from "./kube.ts";
import { LEASES, LeaderElection, type Lease } from "./leader-election.ts";
import type { Time } from "./time.ts";

const KEY = { namespace: "operators", name: "leader" };

interface Candidate {
  readonly election: LeaderElection;
  readonly told: string[];
}

function candidate(fake: Kube, time: Time, identity: string): Candidate {
  const told: string[] = [];
  const election = new LeaderElection({
    kube: fake,
    time,
    key: KEY,
    identity,
    won: () => told.push(`won at ${Math.round(time.monotonic() / 1000)} s`),
    lost: (why) => told.push(`lost: ${why}`),
  });
  return { election, told };
}

function opened() {
  const time = new VirtualTime();
  const fake = new FakeKube({ time });
  return { time, fake, lease: () => fake.objects.get(LEASES, KEY) as Lease | undefined };
}

describe("LeaderElection", () => {
  it("the first one leads, writes times of six digits, and renews every 5 s", async () => {
    const { time, fake, lease } = opened();
    const { election, told } = candidate(fake, time, "one");
    assert.equal(election.remainingMs(), 0);
    election.start();
    await time.settle();
    assert.deepEqual(told, ["won at 0 s"]);
    assert.equal(election.remainingMs(), 30_000);
    const spec = lease()?.spec;
    assert.equal(spec?.holderIdentity, "one");
    assert.equal(spec?.leaseDurationSeconds, 30);
    for (const moment of [spec?.acquireTime, spec?.renewTime]) assert.match(moment ?? "", /T\d\d:\d\d:\d\d\.\d{6}Z$/);
    await time.advance(60_000);
    const later = lease()?.spec;
    assert.equal(later?.acquireTime, spec?.acquireTime);
    assert.equal(later?.leaseTransitions, 0);
    assert.ok(Date.parse(later?.renewTime ?? "") >= time.now() - 5000);
    assert.ok(election.remainingMs() >= 25_000);
  });

  it("a second one waits, takes over 30 s after the last renewal that it saw, and counts the change", async () => {
    const { time, fake, lease } = opened();
    let isFrozen = false;
    const frozen: Kube = new Proxy(fake, {
      get: (target, name) => {
        const value = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        return isFrozen ? () => new Promise(() => undefined) : value.bind(target);
      },
    });
    const one = candidate(frozen, time, "one");
    const two = candidate(fake, time, "two");
    one.election.start();
    await time.settle();
    two.election.start();
    await time.advance(100_000);
    assert.deepEqual(two.told, []);
    // The first one's process is frozen: none of its calls arrives any more.
    isFrozen = true;
    // The last renewal was at most 5 s ago.
    await time.advance(24_000);
    assert.equal(two.election.isLeader, false);
    assert.equal(one.election.isLeader, false);
    assert.equal(one.told.length, 2);
    await time.advance(21_000);
    assert.ok(two.election.isLeader);
    assert.equal(lease()?.spec?.leaseTransitions, 1);
  });

  it("without a leader it is never longer than the Lease lasts and one look: 33 s, whenever the leader ends", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const time = new VirtualTime({ seed });
      const fake = new FakeKube({ time });
      const one = candidate(fake, time, "one");
      one.election.start();
      await time.settle();
      const two = candidate(fake, time, "two");
      two.election.start();
      await time.advance(20_000 + seed * 777);
      const renewed = Date.parse((fake.objects.get(LEASES, KEY) as Lease).spec?.renewTime ?? "");
      // As if its process had been killed: no call of its own arrives, and it hears of nothing.
      fake.before = ({ verb }) => {
        if (verb === "patch" && !two.election.isLeader && time.now() - renewed < 29_000) throw new Error("killed");
      };
      while (!two.election.isLeader) await time.advance(100);
      const tookMs = time.now() - renewed;
      assert.ok(tookMs >= 30_000 && tookMs <= 33_100, `seed ${seed}: ${tookMs} ms after the last renewal`);
    }
  });

  it("goes by its own clock: times in the Lease that lie hours off change nothing", async () => {
    const { time, fake } = opened();
    const one = candidate(fake, time, "one");
    one.election.start();
    await time.settle();
    for (const shift of [-7_200_000, 7_200_000]) {
      const other = new VirtualTime({ startMs: time.now() + shift });
      const two = candidate(fake, other, "two");
      two.election.start();
      for (let second = 0; second < 120; second++) {
        await time.advance(1000);
        await other.advance(1000);
      }
      assert.deepEqual(two.told, []);
      await other.until(two.election.stop());
    }
    assert.ok(one.election.isLeader);
  });

  it("who cannot renew gives up after 20 s, before anybody else can lead", async () => {
    const { time, fake } = opened();
    const { election, told } = candidate(fake, time, "one");
    election.start();
    await time.advance(7000);
    fake.faults.always({}, { kind: "lost", isDone: false });
    await time.advance(17_999);
    assert.ok(election.isLeader);
    await time.advance(1);
    assert.equal(election.isLeader, false);
    assert.equal(election.remainingMs(), 0);
    assert.deepEqual(told, ["won at 0 s", "lost: the Lease was not renewed within 20000 ms"]);
    fake.faults.calm();
    await time.advance(100_000);
    assert.equal(told.length, 2);
  });

  it("who finds another name in the Lease stops at once", async () => {
    const { time, fake } = opened();
    const { election, told } = candidate(fake, time, "one");
    election.start();
    await time.settle();
    fake.objects.patch(LEASES, KEY, { spec: { holderIdentity: "thief" } });
    await time.advance(5000);
    assert.deepEqual(told, ["won at 0 s", "lost: another process holds the Lease"]);
  });

  it("a renewal whose answer was lost is found to be ours", async () => {
    const { time, fake } = opened();
    const { election, told } = candidate(fake, time, "one");
    election.start();
    await time.settle();
    fake.faults.once({ verb: "patch" }, { kind: "lost", isDone: true });
    await time.advance(60_000);
    assert.deepEqual(told, ["won at 0 s"]);
    assert.ok(election.remainingMs() >= 24_000);
  });

  it("what remains counts from before the renewal was sent, and shrinks with the clock that moved most", async () => {
    const { time, fake } = opened();
    const { election } = candidate(fake, time, "one");
    fake.latencyMs = 1500;
    election.start();
    await time.advance(3000);
    assert.equal(election.remainingMs(), 27_000);
    time.wallShiftMs = 12_000;
    assert.equal(election.remainingMs(), 15_000);
    time.wallShiftMs = -3_600_000;
    assert.equal(election.remainingMs(), 27_000);
  });

  it("stop() gives the Lease back: the next one leads within seconds, and nobody is told of a loss", async () => {
    const { time, fake, lease } = opened();
    const one = candidate(fake, time, "one");
    const two = candidate(fake, time, "two");
    one.election.start();
    await time.settle();
    two.election.start();
    await time.advance(20_000);
    await time.until(one.election.stop());
    assert.equal(lease()?.spec?.holderIdentity, "");
    const from = time.monotonic();
    await time.advance(8000);
    assert.ok(two.election.isLeader, String(time.monotonic() - from));
    assert.deepEqual(one.told, ["won at 0 s"]);
    assert.equal(one.election.remainingMs(), 0);
  });

  it("there are never two who may act, in a hundred histories of faults and clocks that are set", async () => {
    for (let seed = 1; seed <= 100; seed++) {
      const time = new VirtualTime({ seed });
      const fake = new FakeKube({ time });
      const prng = new Prng(seed);
      fake.faults.byChance(prng, { refuse: 0.1, conflict: 0.1, lost: 0.25, slow: 0.2 });
      let serial = 0;
      const fresh = () => {
        const one = candidate(fake, time, `p-${serial++}`);
        one.election.start();
        return one;
      };
      const all = [fresh(), fresh(), fresh()];
      let led = 0;
      for (let step = 0; step < 300; step++) {
        await time.advance(prng.below(4000));
        if (prng.chance(0.02)) time.wallShiftMs = (prng.below(200) - 100) * 1000;
        const acting = all.filter(({ election }) => election.remainingMs() > 0);
        assert.ok(acting.length <= 1, `seed ${seed}: ${acting.length} may act`);
        led += acting.length;
        for (const [index, { told }] of all.entries())
          if (told.some((text) => text.startsWith("lost"))) all[index] = fresh();
      }
      assert.ok(led > 30, `seed ${seed}: somebody led in ${led} of 300 moments`);
      for (const { election } of all) void election.stop();
      await time.advance(60_000);
    }
  });
});
