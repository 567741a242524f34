/**
 * The failpoints of a member among three on real processes, under load that goes through another one: with a sleep nothing
 * is lost and nobody sees an error; with a panic the process ends there, comes back, and comes level with the others, whose
 * HashKV is that of a replay of all that was acknowledged. Takes SEED; what a failpoint meets is the machine's affair.
 */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { AMONG_THREE, TAKING_A_STATE } from "../robustness/failpoint-cases.ts";
import { FailpointControl, panicked } from "../robustness/failpoint-control.ts";
import { failpointFlags, panics, realLoad, SLEEP, sleeps, type Victim } from "../robustness/failpoint-steps.ts";
import { MembersUnderLoad, Supply } from "../robustness/members-under-load.ts";
import { LOG_BEFORE_STORE, PlantedServer } from "../robustness/planted.ts";
import { type ClusterMember, ClusterProcess } from "../support/cluster-process.ts";
import { freePorts } from "../support/server-process.ts";

const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));

const SNAPSHOT_COUNT = 40;

/** The load goes through the first, which is left alone; the second leads. */
class Three extends MembersUnderLoad {
  readonly cluster: ClusterProcess;
  readonly #controls: readonly FailpointControl[];
  /** Who was made to fail last, and is judged. */
  #victim: ClusterMember;

  private constructor(cluster: ClusterProcess, controls: readonly FailpointControl[]) {
    const [first, second] = cluster.members as [ClusterMember, ClusterMember];
    super(first.server.url, SEED);
    this.cluster = cluster;
    this.#controls = controls;
    this.#victim = second;
  }

  static async start(command?: readonly string[]): Promise<Three> {
    const controls = (await freePorts(3)).map((port) => new FailpointControl(port));
    const program = command === undefined ? {} : { command };
    const specs = controls.map(({ env }, at) => ({ name: `m${at}`, env, ...program }));
    const three = new Three(await ClusterProcess.start(specs, failpointFlags(SNAPSHOT_COUNT)), controls);
    await three.begin();
    return three;
  }

  get lastWords(): string {
    return this.cluster.members.map(({ name, server }) => `${name}: ${server.lastWords}`).join("\n");
  }

  /** Whose failpoints are armed. */
  async victim(role: "leader" | "follower"): Promise<Victim> {
    const [first, second, third] = this.cluster.members as [ClusterMember, ClusterMember, ClusterMember];
    await this.cluster.lead(second);
    this.#victim = role === "leader" ? second : third;
    const control = this.#controls[role === "leader" ? 1 : 2] as FailpointControl;
    return { server: this.#victim.server, control, workload: this.workload, url: first.server.url };
  }

  remove(): Promise<void> {
    return this.cluster.remove();
  }

  protected async restarted(): Promise<void> {
    for (const { server } of this.cluster.members) if (!server.isRunning) await server.launch();
  }

  protected async level(): Promise<string> {
    await this.cluster.level();
    return this.#victim.server.url;
  }
}

/** More than the log keeps for a member that is away: two snapshots and what is left before them. */
const MISSED_CHANGES = 2 * SNAPSHOT_COUNT + 20;
const PATIENCE_MS = 60_000;

/** Starts the member, which has missed more than the log has, with the failpoint armed. */
function takingAState(supply: Supply<Three>, terms: string, ended: (victim: Victim) => Promise<void>): Promise<void> {
  return supply.use(async (three) => {
    const victim = await three.victim("follower");
    const { server, control, workload } = victim;
    await server.stop("SIGKILL");
    const from = workload.highest;
    await three.under(async () => {
      for (const end = performance.now() + PATIENCE_MS; workload.highest < from + MISSED_CHANGES; await sleep(20))
        assert.ok(performance.now() < end, `others go on: from revision ${from} to ${workload.highest} so far`);
      control.env["GOFAIL_FAILPOINTS"] = terms;
      void server.spawn();
      await ended(victim);
      delete control.env["GOFAIL_FAILPOINTS"];
    });
    assert.equal(workload.unanswered, 0, "two of three go on");
  });
}

describe(`three members (seed ${SEED})`, () => {
  const supply = new Supply(() => Three.start());
  after(() => supply.remove());

  for (const one of AMONG_THREE) {
    test(`${one.name} of the ${one.role}: sleeps, panics`, () =>
      supply.use(async (three) => {
        const victim = await three.victim(one.role);
        await three.under(async () => {
          await sleeps(one, victim);
          await panics(one, victim);
        });
      }));
  }

  test("a member that is told to drop what its streams bring comes level afterwards", () =>
    supply.use(async (three) => {
      const { control } = await three.victim("follower");
      await three.under(async () => {
        await control.arm("raftDropHeartbeat", "return");
        await sleep(1500);
        assert.ok((await control.count("raftDropHeartbeat")) > 0);
        await control.disarm("raftDropHeartbeat");
      });
      assert.equal(three.workload.unanswered, 0, "two of three go on");
    }));

  test("a member that sleeps everywhere while a state is taken in comes level", () =>
    takingAState(supply, TAKING_A_STATE.map((name) => `${name}=${SLEEP}`).join(";"), async ({ control }) => {
      await control.listening();
      for (const name of TAKING_A_STATE) await control.acted(name, 1);
    }));

  for (const name of TAKING_A_STATE) {
    test(`${name}: panics while a state is taken in`, () =>
      takingAState(supply, `${name}=panic`, ({ server }) => panicked(server, name)));
  }

  test("a state that cannot be kept is sent again", () =>
    takingAState(supply, `snapDBDirSyncError=1*return("no luck")`, async ({ control, server }) => {
      await control.listening();
      await control.acted("snapDBDirSyncError", 1);
      assert.match(server.log, /no luck/);
    }));

  test("the load was real", (t) => realLoad(t, supply));
});

test("planted: a log that says that a state was taken in before the store has it, by a panic between the two", async () => {
  const planted = new PlantedServer(...LOG_BEFORE_STORE);
  const supply = new Supply(() => Three.start(planted.command));
  const taken = takingAState(supply, "raftBeforeApplySnap=panic", ({ server }) =>
    panicked(server, "raftBeforeApplySnap"),
  );
  try {
    await assert.rejects(taken, /the data has been applied only up to/);
  } finally {
    await supply.remove();
    planted.remove();
  }
});
