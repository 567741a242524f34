/** What a leader does that was stopped while another was elected: scenarios of their own, for chance seldom makes them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EtcdError } from "../../server/base/error.ts";
import { memberIdOf } from "../../server/cluster/ids.ts";
import type { Member } from "../../server/member/member.ts";
import { LeaseGrantRequest, LeaseRevokeRequest } from "../../server/proto/etcdserverpb.ts";
import { OPTIONS } from "./one-member.ts";
import { Place, type PlaceHost, urlOf } from "./place.ts";
import { SimClock } from "./world/clock.ts";
import { SimulatedNetwork } from "./world/network.ts";

const NAMES = ["m0", "m1", "m2"];
const LIMIT_MS = 30_000;

class Stage {
  readonly clock = new SimClock();
  readonly places: readonly Place[];
  #failure: unknown;

  constructor(seed: number) {
    const network = new SimulatedNetwork({ clock: this.clock, seed });
    const host: PlaceHost = {
      clock: this.clock,
      network,
      seed,
      said: () => undefined,
      applied: () => undefined,
      became: () => undefined,
      removed: () => undefined,
      died: (_, error) => {
        this.#failure ??= error;
      },
    };
    const initialCluster = new Map(NAMES.map((name) => [name, [urlOf(name)]]));
    this.places = NAMES.map((name) => {
      const id = memberIdOf([urlOf(name)], OPTIONS.clusterToken);
      return new Place(host, { name, id, initialCluster });
    });
    for (const place of this.places) place.start();
  }

  async until<T>(what: string, found: () => T | undefined): Promise<T> {
    await this.clock.run(() => this.#failure !== undefined || found() !== undefined, LIMIT_MS);
    if (this.#failure !== undefined) throw this.#failure;
    const answer = found();
    assert.ok(answer !== undefined, `within ${LIMIT_MS} ms: ${what}`);
    return answer;
  }

  /** What a call comes to, or the code of its refusal. */
  async outcome<T>(call: Promise<T>): Promise<T | string> {
    let settled: { readonly answer: T | string } | undefined;
    call.then(
      (answer) => {
        settled = { answer };
      },
      (error: unknown) => {
        settled = { answer: error instanceof EtcdError ? error.code : String(error) };
      },
    );
    return (await this.until("the call is answered", () => settled)).answer;
  }

  leader(other?: Place): Place | undefined {
    return this.places.find((place) => place !== other && place.member?.isLeader);
  }
}

/** A leader that was stopped while another one was elected and revoked lease 7; it has not heard of that yet. */
async function stalled(seed: number): Promise<{ stage: Stage; member: Member }> {
  const stage = new Stage(seed);
  await stage.until("all serve", () => (stage.places.every(({ isServing }) => isServing) ? true : undefined));
  const old = await stage.until("somebody leads", () => stage.leader());
  const oldMember = old.member;
  assert.ok(oldMember !== undefined);
  await stage.outcome(oldMember.leaseGrant(LeaseGrantRequest.create({ id: 7n, ttl: 60 })));
  old.clock.stop();
  const next = await stage.until("another leads", () => stage.leader(old)?.member);
  assert.equal(typeof (await stage.outcome(next.leaseRevoke(LeaseRevokeRequest.create({ id: 7n })))), "object");
  old.clock.resume();
  assert.ok(oldMember.isLeader, "it has not heard of the other yet");
  return { stage, member: oldMember };
}

test("a leader that was stopped renews no lease that has ended under another leader (etcd #15247, second half)", async () => {
  const { stage, member } = await stalled(1);
  assert.equal(await stage.outcome(member.leaseRenew(7n)), "LeaseNotFound");
});

test("a leader that was stopped tells no time of a lease that has ended under another leader", async () => {
  const { stage, member } = await stalled(2);
  assert.equal(await stage.outcome(member.leaseTimeToLive(7n, true)), undefined);
});
