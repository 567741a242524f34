import assert from "node:assert/strict";
import { test } from "node:test";
import { MemberCluster } from "../../test/support/member-cluster.ts";
import { FirstElection } from "./first-election.ts";

const none = () => 0;
const one = () => 1;
const two = () => 2;

test("all but two ticks pass at once, one time, when two others are connected", () => {
  const first = new FirstElection(10, 1000);
  assert.deepEqual([first.advance(1000, false, none), first.advance(1100, false, one)], [0, 0]);
  assert.deepEqual([first.advance(6000, false, two), first.advance(6000, false, two)], [8, 0]);
});

test("no tick is passed over where somebody leads, after five seconds, or where the timeout has no more", () => {
  const led = new FirstElection(10, 0);
  assert.deepEqual([led.advance(0, true, two), led.advance(100, false, two)], [0, 0]);
  assert.equal(new FirstElection(10, 0).advance(5001, false, two), 0);
  assert.equal(new FirstElection(1, 0).advance(0, false, two), 0);
});

test("three members that start together have a leader sooner", async () => {
  const took = async (initialElectionTickAdvance: boolean) => {
    let sum = 0;
    for (let seed = 1; seed <= 5; seed++) {
      const cluster = await MemberCluster.start(3, { initialElectionTickAdvance }, seed);
      sum += cluster.clock.monotonicMs();
    }
    return sum / 5;
  };
  const [without, advanced] = [await took(false), await took(true)];
  assert.ok(advanced < without - 300, `${advanced} ms, and ${without} ms without`);
});
