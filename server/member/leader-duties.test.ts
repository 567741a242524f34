import assert from "node:assert/strict";
import { test } from "node:test";
import { SimClock } from "../../test/simulation/world/clock.ts";
import { Deferred, LogLines, pass } from "../../test/support/settling.ts";
import { EtcdError } from "../base/error.ts";
import { Lessor } from "../lease/lessor.ts";
import type { InternalRequest } from "../proto/etcdserverpb.ts";
import { LeaderDuties } from "./leader-duties.ts";
import { NO_METRICS } from "./member-metrics.ts";

const EXTEND_MS = 1000;

/** Duties with a real lessor; what they propose is applied at once unless the test says otherwise. */
class World {
  readonly clock = new SimClock();
  readonly logger = new LogLines();
  readonly lessor = new Lessor({ minTtlSeconds: 2 });
  /** "milliseconds: what was proposed". */
  readonly proposed: string[] = [];
  expired = 0;
  term = 3;
  confirm: () => Promise<void> = () => Promise.resolve();
  apply: (request: InternalRequest) => Promise<unknown> = (request) => this.applied(request);
  readonly duties: LeaderDuties;

  constructor(options: { checkpoints?: boolean } = {}) {
    const { clock, logger, lessor } = this;
    this.duties = new LeaderDuties({
      clock,
      lessor,
      logger,
      metrics: { ...NO_METRICS, leaseExpired: () => void this.expired++ },
      checkpoints: options.checkpoints ?? false,
      confirmLeadership: () => this.confirm(),
      term: () => this.term,
      propose: (request) => {
        this.proposed.push(`${clock.monotonicMs()}: ${told(request)}`);
        return this.apply(request);
      },
    });
  }

  applied(request: InternalRequest): Promise<unknown> {
    try {
      if (request.kind === "leaseRevoke") this.lessor.revoke(request.value.id);
      if (request.kind === "leaseCheckpoint")
        for (const { id, remainingTtl } of request.value.checkpoints) this.lessor.checkpoint(id, remainingTtl);
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  grant(count: number, ttlSeconds: number): void {
    for (let id = 1; id <= count; id++) this.lessor.grant(BigInt(id), ttlSeconds);
  }

  async pass(ms: number): Promise<string[]> {
    this.proposed.length = 0;
    await pass(this.clock, ms);
    return [...this.proposed];
  }
}

function told(request: InternalRequest): string {
  if (request.kind === "leaseRevoke") return `revoke ${request.value.id}`;
  if (request.kind !== "leaseCheckpoint") return request.kind;
  return `checkpoint ${request.value.checkpoints.map(({ id, remainingTtl }) => `${id}=${remainingTtl}`).join(" ")}`;
}

test("a lease whose time is up is ended by a proposal at the next look, after its time and never before", async () => {
  const world = new World();
  world.grant(1, 5);
  world.duties.start(EXTEND_MS);
  assert.deepEqual(await world.pass(5999), []);
  assert.deepEqual(await world.pass(501), ["6000: revoke 1"]);
  assert.deepEqual([world.lessor.size, world.expired], [0, 1]);
});

test("a lease granted while leading, and one renewed, end at their own time", async () => {
  const world = new World();
  world.duties.start(EXTEND_MS);
  await world.pass(700);
  world.lessor.grant(1n, 2);
  world.lessor.grant(2n, 2);
  await world.pass(1800);
  assert.equal(world.lessor.renew(2n, world.clock.monotonicMs()), 2);
  const proposed = await world.pass(4000);
  assert.deepEqual(proposed, ["3000: revoke 1", "4500: revoke 2"]);
});

test("nothing is asked for, and leadership not confirmed, while no lease is due", async () => {
  const world = new World();
  let confirmed = 0;
  world.confirm = () => {
    confirmed++;
    return Promise.resolve();
  };
  world.grant(3, 100);
  world.duties.start(EXTEND_MS);
  assert.deepEqual(await world.pass(60_000), []);
  assert.equal(confirmed, 0);
});

test("who does not lead ends no lease, and after losing leadership no more", async () => {
  const world = new World();
  world.grant(2, 2);
  assert.deepEqual(await world.pass(10_000), []);
  world.duties.start(EXTEND_MS);
  await world.pass(2000);
  world.duties.stop();
  assert.equal(world.lessor.isPrimary, false);
  assert.deepEqual(await world.pass(60_000), []);
  assert.equal(world.lessor.size, 2);
});

test("whoever comes to lead gives every lease its whole time again, and an election timeout more", async () => {
  const world = new World();
  world.grant(1, 5);
  world.duties.start(EXTEND_MS);
  await world.pass(4000);
  world.duties.stop();
  await world.pass(4000);
  world.duties.start(EXTEND_MS);
  assert.deepEqual(await world.pass(7000), ["14000: revoke 1"]);
});

test("a leadership that ends while it is being confirmed proposes nothing", async () => {
  const world = new World();
  world.grant(1, 2);
  const confirmation = new Deferred();
  world.confirm = () => confirmation.promise;
  world.duties.start(EXTEND_MS);
  await world.pass(3000);
  world.duties.stop();
  confirmation.resolve();
  assert.deepEqual(await world.pass(1000), []);
});

test("a leadership of another term than the one that found the leases proposes nothing for it", async () => {
  const world = new World();
  world.grant(1, 2);
  const confirmation = new Deferred();
  world.confirm = () => confirmation.promise;
  world.duties.start(EXTEND_MS);
  await world.pass(3000);
  world.duties.stop();
  world.term++;
  world.duties.start(EXTEND_MS);
  confirmation.resolve();
  assert.deepEqual(await world.pass(2000), []);
  assert.deepEqual(await world.pass(2000), ["6000: revoke 1"]);
});

test("leadership lost between two groups of revokes ends them", async () => {
  const world = new World();
  world.grant(40, 2);
  world.apply = (request) => {
    if (world.proposed.length === 16) world.term++;
    return world.applied(request);
  };
  world.duties.start(EXTEND_MS);
  assert.equal((await world.pass(3000)).length, 16);
});

test("leadership that cannot be confirmed ends nothing; the leases are tried again some seconds later", async () => {
  const world = new World();
  world.grant(1, 2);
  world.confirm = () => Promise.reject(new EtcdError("Timeout"));
  world.duties.start(EXTEND_MS);
  assert.deepEqual(await world.pass(4000), []);
  assert.equal(world.logger.of("warn").length, 1);
  world.confirm = () => Promise.resolve();
  assert.deepEqual(await world.pass(4000), ["6000: revoke 1"]);
});

test("16 revokes are under way at a time, and 500 in one look: a thousand a second", async () => {
  const world = new World();
  world.grant(700, 2);
  let underWay = 0;
  let most = 0;
  world.apply = async (request) => {
    most = Math.max(most, ++underWay);
    await Promise.resolve();
    underWay--;
    return world.applied(request);
  };
  world.duties.start(EXTEND_MS);
  assert.equal((await world.pass(3000)).length, 500);
  assert.equal((await world.pass(500)).length, 200);
  assert.deepEqual([most, world.lessor.size, world.expired], [16, 0, 700]);
});

test("a lease that its client has ended meanwhile does not hold up the others", async () => {
  const world = new World();
  world.grant(40, 2);
  world.apply = (request) => {
    if (world.proposed.length === 1) world.lessor.revoke(1n);
    return world.applied(request);
  };
  world.duties.start(EXTEND_MS);
  assert.equal((await world.pass(3000)).length, 40);
  assert.deepEqual([world.lessor.size, world.expired, world.logger.of("warn")], [0, 39, []]);
});

test("a proposal that fails is tried again, with the rest, some seconds later", async () => {
  const world = new World();
  world.grant(20, 2);
  world.apply = () => Promise.reject(new EtcdError("Timeout"));
  world.duties.start(EXTEND_MS);
  assert.equal((await world.pass(3000)).length, 16);
  world.apply = (request) => world.applied(request);
  assert.deepEqual(await world.pass(2500), []);
  assert.equal((await world.pass(500)).length, 20);
  assert.equal(world.lessor.size, 0);
});

test("no look is taken while the last one is under way", async () => {
  const world = new World();
  world.grant(1, 2);
  const applied = new Deferred();
  world.apply = () => applied.promise;
  world.duties.start(EXTEND_MS);
  assert.deepEqual(await world.pass(60_000), ["3000: revoke 1"]);
});

test("leadership lost and won again while a look is under way leaves one look at a time", async () => {
  const world = new World();
  let looks = 0;
  const due = world.lessor.due.bind(world.lessor);
  world.lessor.due = (nowMs, limit) => {
    looks++;
    return due(nowMs, limit);
  };
  for (let round = 0; round < 5; round++) {
    world.lessor.grant(BigInt(round + 1), 2);
    const confirmation = new Deferred();
    world.confirm = () => confirmation.promise;
    world.duties.start(EXTEND_MS);
    await world.pass(3500);
    world.duties.stop();
    world.duties.start(EXTEND_MS);
    confirmation.resolve();
    await world.pass(0);
  }
  world.confirm = () => Promise.resolve();
  await world.pass(10_000);
  looks = 0;
  await world.pass(10_000);
  assert.equal(looks, 20);
});

test("long leases are remembered every five minutes when checkpoints are on, before any revoke", async () => {
  const world = new World({ checkpoints: true });
  world.lessor.grant(1n, 1000);
  world.lessor.grant(2n, 299);
  world.duties.start(EXTEND_MS);
  assert.deepEqual(await world.pass(300_000), ["300000: checkpoint 1=701", "300000: revoke 2"]);
  assert.equal(world.lessor.lookup(1n)?.remainingTtlSeconds, 701);
  assert.deepEqual(await world.pass(300_000), ["600000: checkpoint 1=401"]);
});

test("a leader after another goes on with the rest that was remembered", async () => {
  const world = new World({ checkpoints: true });
  world.lessor.grant(1n, 1000);
  world.duties.start(EXTEND_MS);
  await world.pass(300_000);
  world.duties.stop();
  world.duties.start(EXTEND_MS);
  const proposed = await world.pass(800_000);
  assert.equal(proposed.at(-1), `${300_000 + 1000 + 701_000}: revoke 1`);
});

test("without checkpoints none is proposed", async () => {
  const world = new World();
  world.lessor.grant(1n, 1000);
  world.duties.start(EXTEND_MS);
  assert.deepEqual(await world.pass(900_000), []);
});
