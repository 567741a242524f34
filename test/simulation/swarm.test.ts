/** What a seed turns on, and how a failing run is made small. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runCluster } from "./cluster.ts";
import { type Level, Violation } from "./outcome.ts";
import { commandFor, shrink } from "./shrink.ts";
import { CALLS, FAULTS, stream, swarmOf } from "./swarm.ts";

test("each kind is on in about half of the seeds, and taking one away leaves the others", () => {
  const seeds = Array.from({ length: 400 }, (_, seed) => swarmOf(seed));
  for (const kind of Object.keys(FAULTS) as (keyof typeof FAULTS)[]) {
    const on = seeds.filter(({ faults }) => faults.has(kind)).length;
    assert.ok(on > 140 && on < 260, `${kind} is on in ${on} of 400`);
  }
  for (const whole of seeds.slice(0, 40)) {
    const less = swarmOf(whole.seed, { without: ["power", "txn"], untilMs: 5 });
    const [faults, calls] = [new Map(whole.faults), new Map(whole.calls)];
    faults.delete("power");
    calls.delete("txn");
    assert.deepEqual(less, { ...whole, faults, calls, untilMs: 5 });
  }
});

test("streams of chance differ by their names and their seeds", () => {
  const first = (seed: number, name: string) => stream(seed, name).uint32();
  assert.equal(first(7, "network"), first(7, "network"));
  const names = ["network", "swarm", "client 1", "client 2", "fault cut"];
  const drawn = [7, 8].flatMap((seed) => names.map((name) => first(seed, name)));
  assert.equal(new Set(drawn).size, drawn.length);
});

test("a failing run is made as small as it fails, and the command says how", async () => {
  let runs = 0;
  const level: Level = {
    name: "server",
    takesLess: true,
    points: [],
    run: async (_seed, { without = [], untilMs = 9000 } = {}) => {
      runs++;
      const fails = !["power", "pause", "txn"].some((kind) => without.includes(kind)) && untilMs >= 700;
      if (fails) throw new Violation("broken", Math.min(untilMs, 3000));
      return { members: 3, simulatedMs: 1, operations: 1, faults: {}, points: {}, traceHash: "" };
    },
  };
  const shrunk = await shrink(level, 5);
  assert.ok(shrunk !== undefined);
  const { without = [], untilMs } = shrunk.less;
  const kinds = [...Object.keys(FAULTS), ...Object.keys(CALLS)];
  assert.deepEqual(
    kinds.filter((kind) => !without.includes(kind)),
    ["power", "pause", "txn"],
  );
  assert.equal(untilMs, 750);
  assert.equal(shrunk.tries, runs);
  const command = commandFor("server", 5, { untilMs: 750, without: ["cut", "bridge"] });
  assert.equal(command, "npm run simulate -- --level server --seed 5 --until 750 --without cut,bridge");
  assert.equal(await shrink({ ...level, run: (seed, less) => level.run(seed, { ...less, untilMs: 1 }) }, 5), undefined);
});

test("a planted mistake is made small in the world of whole members too", async () => {
  const level: Level = {
    name: "server",
    takesLess: true,
    points: [],
    run: (seed, less) => runCluster(seed, { losesEvents: true }, less),
  };
  // What is not right is found at the end of a run, so each try takes as long as its storm.
  const shrunk = await shrink(level, 3, { untilMs: 2000 });
  assert.ok(shrunk !== undefined);
  const { without = [] } = shrunk.less;
  assert.ok(!without.includes("watch"), "watchers are needed");
  assert.ok(
    Object.keys(FAULTS).every((kind) => without.includes(kind)),
    "no fault is needed",
  );
  await assert.rejects(runCluster(3, { losesEvents: true }, shrunk.less), Violation);
});
