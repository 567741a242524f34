/** A member of a raft-only world lives through its deaths, also one in the middle of what it does. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyConfState } from "../../server/raft/conf-change.ts";
import { RaftLaws } from "./raft-laws.ts";
import { type MemberWorld, RaftMember } from "./raft-member.ts";
import { Counts, MS, streamOf, Timeline } from "./raft-timeline.ts";
import { drawWeather, electionTimeoutUs } from "./raft-weather.ts";

const SEED = 1;
const GATHER_US = 5 * MS;

/** A voter alone, who dies once at `point` when it is told to. */
function aloneIn(timeline: Timeline, dies: (member: RaftMember, point: string) => boolean): RaftMember {
  const drawn = drawWeather(SEED);
  const weather = { ...drawn, process: { gatherUs: GATHER_US, applyUs: 0, deathShare: 0 } };
  const points = new Counts();
  const members: RaftMember[] = [];
  let laws: RaftLaws | undefined;
  const world: MemberWorld = {
    timeline,
    weather,
    points,
    laws: () => {
      laws ??= new RaftLaws({ members, weather, points, passOver: new Set() });
      return laws;
    },
    disks: streamOf(SEED, "disks"),
    clocks: streamOf(SEED, "clocks"),
    members: streamOf(SEED, "members"),
    mistakes: {},
    send: () => undefined,
    diesAt: dies,
    isCalm: () => true,
  };
  const member = new RaftMember(0, { ...emptyConfState(), voters: [1n] }, world);
  members.push(member);
  return member;
}

// Seeds 26020 and 32816: a round that was noted for the life that had just ended kept the next life from asking for one,
// and a member that came back within `gatherUs` was deaf and dumb from then on.
test("a member that dies after a sync and is started at once takes part again", () => {
  const timeline = new Timeline();
  let deaths = 0;
  const member = aloneIn(timeline, (dying, point) => {
    if (point !== "died after its sync" || deaths > 0) return false;
    deaths++;
    dying.die("power");
    timeline.after(GATHER_US / 10, () => dying.start());
    return true;
  });
  member.start();
  timeline.runTo(3 * electionTimeoutUs(drawWeather(SEED)));
  assert.equal(deaths, 1);
  assert.equal(member.life, 2);
  assert.ok(member.isUp && member.node.isLeader, `it is ${member.node.role} in term ${member.node.term}`);
});
