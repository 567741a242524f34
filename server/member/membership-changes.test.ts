import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MemoryBackend } from "../../test/simulation/world/backend.ts";
import { SimClock } from "../../test/simulation/world/clock.ts";
import type { EtcdError } from "../base/error.ts";
import { Membership } from "../cluster/membership.ts";
import { MembershipChanges } from "./membership-changes.ts";

/** A voter that has started and been connected for long, but for what is said of it. */
interface Other {
  readonly isStarted?: boolean;
  /** Undefined: not at all. */
  readonly connectedMs?: number | undefined;
}

const UP: Other = { connectedMs: 5000 };
const FRESH: Other = { connectedMs: 4999 };
const DOWN: Other = { connectedMs: undefined };
const NOT_STARTED: Other = { isStarted: false, connectedMs: undefined };
const SELF = 1n;
/** That of the first other voter; the others' follow. */
const OTHER = 2n;
const LEARNER = 9n;

/** What becomes of each change: how it is refused, or "proposed". */
class World {
  readonly #changes: MembershipChanges;

  constructor(others: readonly Other[], isStrict = true, hasLearner = false) {
    const clock = new SimClock();
    const membership = new Membership(new MemoryBackend());
    const add = (id: bigint, name: string, isLearner = false) =>
      membership.add({ id, name, peerUrls: [`http://${id}:1`], clientUrls: [], isLearner });
    add(SELF, "self");
    others.forEach(({ isStarted = true }, at) => void add(OTHER + BigInt(at), isStarted ? "other" : ""));
    if (hasLearner) add(LEARNER, "learner", true);
    this.#changes = new MembershipChanges({
      membership,
      clock,
      timeoutMs: 1000,
      options: { clusterToken: "t", isStrict, maxLearners: 1 },
      host: {
        selfId: SELF,
        isLeader: true,
        nextRequestId: () => 1n,
        propose: () => false,
        schedule: () => undefined,
        activeSince: (id) => {
          const since = others[Number(id - OTHER)]?.connectedMs;
          return since === undefined ? undefined : clock.monotonicMs() - since;
        },
        progress: () => ({ match: 10, last: 10 }),
        promoteAtLeader: () => Promise.resolve(),
      },
    });
  }

  add(isLearner = false): Promise<string> {
    return outcome(this.#changes.add(["http://new:1"], isLearner));
  }

  remove(id: bigint): Promise<string> {
    return outcome(this.#changes.remove(id));
  }

  promote(): Promise<string> {
    return outcome(this.#changes.promote(LEARNER));
  }
}

/** This raft takes nothing, so that what gets as far as there is told from all else. */
async function outcome(change: Promise<unknown>): Promise<string> {
  return change.then(
    () => "done",
    ({ code }: EtcdError) => (code === "NoLeader" ? "proposed" : code),
  );
}

describe("--strict-reconfig-check", () => {
  test("a voter is added where enough have started, and enough have been connected for five seconds", async () => {
    assert.equal(await new World([]).add(), "proposed");
    assert.equal(await new World([UP]).add(), "proposed");
    assert.equal(await new World([NOT_STARTED]).add(), "NotEnoughStartedMembers");
    assert.equal(await new World([FRESH]).add(), "Unhealthy");
    assert.equal(await new World([UP, UP]).add(), "proposed");
    assert.equal(await new World([UP, FRESH]).add(), "Unhealthy");
    assert.equal(await new World([UP, NOT_STARTED]).add(), "NotEnoughStartedMembers");
    assert.equal(await new World([UP, UP, UP]).add(), "proposed");
    assert.equal(await new World([UP, UP, DOWN]).add(), "proposed");
  });

  test("a learner needs nobody to have started, but the same to be connected", async () => {
    assert.equal(await new World([UP, UP]).add(true), "proposed");
    assert.equal(await new World([UP, FRESH]).add(true), "Unhealthy");
    assert.equal(await new World([NOT_STARTED]).add(true), "Unhealthy");
    assert.equal(await new World([]).add(true), "proposed");
  });

  test("whoever is refused for that is told so before anything else is looked at", async () => {
    assert.equal(await new World([FRESH], true, true).add(true), "Unhealthy");
    assert.equal(await new World([UP], true, true).add(true), "TooManyLearners");
  });

  test("the last voter stays", async () => {
    assert.equal(await new World([]).remove(SELF), "NotEnoughStartedMembers");
    assert.equal(await new World([], true, true).remove(SELF), "NotEnoughStartedMembers");
  });

  test("a voter is removed where enough have been connected for five seconds without it", async () => {
    assert.equal(await new World([UP, UP]).remove(OTHER), "proposed");
    assert.equal(await new World([UP, UP]).remove(SELF), "proposed");
    assert.equal(await new World([UP, FRESH]).remove(OTHER), "Unhealthy");
    assert.equal(await new World([FRESH, FRESH]).remove(OTHER), "Unhealthy");
    assert.equal(await new World([UP, NOT_STARTED]).remove(OTHER), "NotEnoughStartedMembers");
  });

  test("one that cannot be reached may go, and a learner always", async () => {
    assert.equal(await new World([DOWN, FRESH]).remove(OTHER), "proposed");
    assert.equal(await new World([FRESH, FRESH], true, true).remove(LEARNER), "proposed");
  });

  test("a learner is promoted where enough have started, itself among them; who is connected is not asked", async () => {
    assert.equal(await new World([], true, true).promote(), "proposed");
    assert.equal(await new World([DOWN], true, true).promote(), "proposed");
    assert.equal(await new World([NOT_STARTED, NOT_STARTED], true, true).promote(), "NotEnoughStartedMembers");
  });

  test("turned off, none of this is asked", async () => {
    const world = new World([FRESH, NOT_STARTED], false, true);
    assert.equal(await world.add(), "proposed");
    assert.equal(await world.remove(OTHER), "proposed");
    assert.equal(await world.promote(), "proposed");
  });
});
