/**
 * Every failpoint on real processes, armed over HTTP under load: with a sleep nothing is lost and nobody sees an error;
 * with a panic the process ends there, comes back, and has all that was acknowledged, with the HashKV of a replay and of
 * the other members. Takes SEED; what a failpoint meets is the machine's affair.
 */
import assert from "node:assert/strict";
import { after, before, describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { utf8Bytes } from "../../server/base/bytes.ts";
import { FAILPOINTS, type FailpointName } from "../../server/base/failpoint.ts";
import { connect } from "../../server/client/client.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { ALONE, AMONG_THREE, AT_START, type LoadCase, TAKING_A_STATE } from "../robustness/failpoint-cases.ts";
import { FailpointControl, panicked } from "../robustness/failpoint-control.ts";
import { History } from "../robustness/history.ts";
import { ACKNOWLEDGE_BEFORE_SYNC, ACKNOWLEDGE_BEFORE_WRITE, type Edit, PlantedServer } from "../robustness/planted.ts";
import { Workload } from "../robustness/workload.ts";
import { type ClusterMember, ClusterProcess } from "../support/cluster-process.ts";
import { freePorts, ServerProcess } from "../support/server-process.ts";

const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const WRITERS = 8;
/** Snapshots of the log and commits come often, compactions take several batches. */
const FLAGS = [
  "--snapshot-count=100",
  "--snapshot-catchup-entries=20",
  "--compaction-batch-limit=20",
  "--backend-batch-interval=20ms",
  "--watch-progress-notify-interval=1s",
];
const SLEEP = "3*sleep(60)";
/** Load before something is armed: there is history to compact, and there are leases. */
const WARM_MS = 150;
const TRIGGER_AGAIN_MS = 50;

/** A member alone under load, whose history is judged whenever the load stops. */
class Alone {
  readonly control: FailpointControl;
  readonly server: ServerProcess;
  readonly workload: Workload;
  loads = 0;
  readonly #history = new History();

  private constructor(control: FailpointControl, server: ServerProcess) {
    this.control = control;
    this.server = server;
    this.workload = new Workload({ url: server.url, writers: WRITERS, seed: SEED });
  }

  static async prepare(command?: readonly string[]): Promise<Alone> {
    const [port] = await freePorts(1);
    const control = new FailpointControl(port as number);
    const options = { flags: FLAGS, env: control.env, ...(command === undefined ? {} : { command }) };
    return new Alone(control, await ServerProcess.prepare(options));
  }

  get judged(): number {
    return this.#history.judged;
  }

  /** Runs the load around `action`, brings the server back when it has ended, and judges it. */
  async under(action: () => Promise<void>): Promise<void> {
    this.loads++;
    if (!this.server.isRunning) await this.server.launch();
    this.workload.start(this.#history.start());
    try {
      await sleep(WARM_MS);
      await action();
    } finally {
      await this.workload.stop();
    }
    if (!this.server.isRunning) await this.server.launch();
    await this.judge();
  }

  async judge(): Promise<void> {
    await this.#history.judge(this.server.url, this.workload);
    this.workload.forget();
  }

  async remove(): Promise<void> {
    await this.workload.stop();
    await this.server.remove();
  }
}

/** Asks again and again for what leads to the place, until `done`. */
async function triggering({ trigger }: LoadCase, url: string, promises: Workload, done: Promise<void>): Promise<void> {
  if (trigger === undefined) return done;
  const client = connect(url);
  let isDone = false;
  const settled = done.finally(() => {
    isDone = true;
  });
  try {
    while (!isDone) {
      await Promise.race([trigger(client, promises), settled]);
      await Promise.race([sleep(TRIGGER_AGAIN_MS), settled]);
    }
    await settled;
  } finally {
    client.close();
  }
}

function realLoad(t: TestContext, { judged, loads }: { readonly judged: number; readonly loads: number }): void {
  t.diagnostic(`${judged} changes found in their place, under ${loads} loads`);
  assert.ok(judged > loads * 10);
}

/** It sleeps there a few times, which costs time and nothing else. */
async function sleeps(one: LoadCase, control: FailpointControl, url: string, workload: Workload): Promise<void> {
  const before = await control.count(one.name);
  await control.arm(one.name, SLEEP);
  await triggering(one, url, workload, control.acted(one.name, before + 1));
  await sleep(WARM_MS);
  await control.disarm(one.name);
  assert.equal(workload.unanswered, 0, "a sleep costs time, not answers");
  assert.deepEqual(workload.wrong, []);
}

test("every failpoint is tried below", () => {
  const tried = [...ALONE, ...AMONG_THREE].map(({ name }) => name).concat(AT_START, TAKING_A_STATE);
  assert.deepEqual([...new Set(tried)].sort(), [...FAILPOINTS].sort());
});

describe(`a member alone (seed ${SEED})`, () => {
  let alone: Alone;
  before(async () => {
    alone = await Alone.prepare();
    await alone.server.launch();
    for (let round = 0; round < 2; round++) await alone.under(() => sleep(300));
  });
  after(() => alone.remove());

  test("all names are listed, and bad requests are refused in words", async () => {
    const { control } = alone;
    assert.deepEqual([...(await control.list()).keys()].sort(), [...FAILPOINTS].sort());
    await control.arm("beforeCommit", "off");
    assert.equal((await control.list()).get("beforeCommit"), "off");
    await control.disarm("beforeCommit");
    assert.equal((await control.list()).get("beforeCommit"), "");
    await assert.rejects(control.arm("beforeCommit", "explode"), /400: "explode" is no action/);
    await assert.rejects(control.arm("nowhere" as FailpointName, "panic"), /400: there is no failpoint "nowhere"/);
    await assert.rejects(control.arm("beforeCommit", 'return("x")'), /400: "beforeCommit" takes no value/);
  });

  for (const one of ALONE) {
    test(`${one.name}: sleeps, panics`, async () => {
      const { control, server, workload } = alone;
      await alone.under(async () => {
        await sleeps(one, control, server.url, workload);
        await control.arm(one.name, "panic");
        await triggering(one, server.url, workload, panicked(server, one.name));
      });
      workload.unanswered = 0;
    });
  }

  for (const name of AT_START) {
    test(`${name}: sleeps, panics while the member starts`, async () => {
      const { control, server } = alone;
      await server.stop();
      control.env["GOFAIL_FAILPOINTS"] = `${name}=sleep(300)`;
      await server.launch();
      assert.ok((await control.count(name)) > 0);
      await server.stop();
      control.env["GOFAIL_FAILPOINTS"] = `${name}=panic`;
      void server.spawn();
      await panicked(server, name);
      delete control.env["GOFAIL_FAILPOINTS"];
      await server.launch();
      await alone.judge();
    });
  }

  test("a defragmentation that is told to fail says so, and the server goes on", async () => {
    const { control, server } = alone;
    await alone.under(async () => {
      const client = connect(server.url);
      for (const name of ["defragOpenFileError", "defragdbFail"] as const) {
        await control.arm(name, `return("no luck at ${name}")`);
        const refused = await client.call(SERVICES.maintenance.methods.defragment, {});
        assert.match(refused.status.text, new RegExp(`no luck at ${name}`));
        await control.disarm(name);
      }
      await client.unary(SERVICES.maintenance.methods.defragment, {});
      client.close();
    });
  });

  test("nothing is answered before its sync", (t) => answersWaitForSync(alone).then((text) => t.diagnostic(text)));

  test("the load was real", (t) => realLoad(t, alone));
});

const SYNC_MS = 400;

/** Throws when a put is answered while its sync is held. */
async function answersWaitForSync({ control, server }: Alone): Promise<string> {
  await control.arm("walBeforeSync", `sleep(${SYNC_MS})`);
  const client = connect(server.url);
  try {
    const started = performance.now();
    await client.unary(SERVICES.kv.methods.put, { key: utf8Bytes("probe"), value: utf8Bytes("1") });
    const tookMs = performance.now() - started;
    assert.ok(tookMs >= SYNC_MS * 0.9, `answered after ${tookMs.toFixed(0)} ms, while its sync took ${SYNC_MS}`);
    return `answered after ${tookMs.toFixed(0)} ms, its sync took ${SYNC_MS}`;
  } finally {
    client.close();
    await control.disarm("walBeforeSync");
  }
}

describe("planted mistakes are caught", () => {
  const on = async (mistake: Edit, action: (alone: Alone) => Promise<unknown>) => {
    const planted = new PlantedServer(mistake);
    const alone = await Alone.prepare(planted.command);
    try {
      await alone.server.launch();
      await action(alone);
    } finally {
      await alone.remove();
      planted.remove();
    }
  };

  test("answers that are given before the log is written, by a panic before the store's commit", () =>
    on(ACKNOWLEDGE_BEFORE_WRITE, (alone) =>
      assert.rejects(async () => {
        // What was answered since the last commit is in the log alone, or nowhere.
        for (let round = 0; round < 5; round++)
          await alone.under(async () => {
            await alone.control.arm("commitBeforePreCommitHook", "panic");
            await panicked(alone.server, "commitBeforePreCommitHook");
          });
      }, /is not there|but the store stands at|ends at entry/),
    ));

  test("answers that are given before the log is synced, by a sleep before the sync", () =>
    on(ACKNOWLEDGE_BEFORE_SYNC, (alone) => assert.rejects(answersWaitForSync(alone), /while its sync took/)));
});

/** Three members with failpoints. The load goes through the first, which is left alone; the second leads. */
class Three {
  readonly cluster: ClusterProcess;
  readonly workload: Workload;
  loads = 0;
  readonly #controls: readonly FailpointControl[];
  readonly #history = new History();

  private constructor(cluster: ClusterProcess, controls: readonly FailpointControl[]) {
    this.cluster = cluster;
    this.#controls = controls;
    this.workload = new Workload({ url: this.#member(0).server.url, writers: WRITERS, seed: SEED });
  }

  static async start(): Promise<Three> {
    const controls = (await freePorts(3)).map((port) => new FailpointControl(port));
    const specs = controls.map(({ env }, at) => ({ name: `m${at}`, env }));
    return new Three(await ClusterProcess.start(specs, FLAGS), controls);
  }

  get judged(): number {
    return this.#history.judged;
  }

  /** Whose failpoints are armed. */
  async victim(role: "leader" | "follower"): Promise<{ member: ClusterMember; control: FailpointControl }> {
    await this.cluster.lead(this.#member(1));
    const at = role === "leader" ? 1 : 2;
    return { member: this.#member(at), control: this.#controls[at] as FailpointControl };
  }

  /** Runs the load around `action`; then the member is back, all hold the same, and all that was promised. */
  async under(member: ClusterMember, action: () => Promise<unknown>): Promise<void> {
    this.loads++;
    this.workload.start(this.#history.start());
    try {
      await sleep(WARM_MS);
      await action();
    } finally {
      await this.workload.stop();
    }
    await this.level(member);
  }

  async level(member: ClusterMember): Promise<void> {
    if (!member.server.isRunning) await member.server.launch();
    await this.cluster.level();
    await this.#history.judge(member.server.url, this.workload);
    this.workload.forget();
  }

  remove(): Promise<void> {
    return this.cluster.remove();
  }

  #member(at: number): ClusterMember {
    return this.cluster.members[at] as ClusterMember;
  }
}

/** More than the log keeps for a member that is away. */
const MISSED_CHANGES = 150;

describe(`three members (seed ${SEED})`, () => {
  let three: Three;
  before(async () => {
    three = await Three.start();
    const { member } = await three.victim("follower");
    for (let round = 0; round < 2; round++) await three.under(member, () => sleep(500));
  });
  after(() => three.remove());

  for (const one of AMONG_THREE) {
    test(`${one.name} of the ${one.role}: sleeps, panics`, async () => {
      const { workload } = three;
      const url = three.cluster.members[0]?.server.url as string;
      const { member, control } = await three.victim(one.role);
      await three.under(member, async () => {
        await sleeps(one, control, url, workload);
        await control.arm(one.name, "panic");
        await triggering(one, url, workload, panicked(member.server, one.name));
      });
      workload.unanswered = 0;
    });
  }

  test("a member that is told to drop what its streams bring comes level afterwards", async () => {
    const { member, control } = await three.victim("follower");
    await three.under(member, async () => {
      await control.arm("raftDropHeartbeat", "return");
      await sleep(1500);
      assert.ok((await control.count("raftDropHeartbeat")) > 0);
      await control.disarm("raftDropHeartbeat");
    });
    assert.equal(three.workload.unanswered, 0, "two of three go on");
  });

  /** Starts the member, which has missed more than the log has, with the failpoint armed. */
  const takingAState = async (
    terms: string,
    ended: (control: FailpointControl, member: ClusterMember) => Promise<void>,
  ) => {
    const { member, control } = await three.victim("follower");
    await member.server.stop("SIGKILL");
    const from = three.workload.highest;
    await three.under(member, async () => {
      for (const end = performance.now() + 30_000; three.workload.highest < from + MISSED_CHANGES; await sleep(20))
        assert.ok(performance.now() < end, "others go on");
      control.env["GOFAIL_FAILPOINTS"] = terms;
      try {
        void member.server.spawn();
        await ended(control, member);
      } finally {
        delete control.env["GOFAIL_FAILPOINTS"];
      }
    });
    assert.equal(three.workload.unanswered, 0, "two of three go on");
  };

  test("a member that sleeps everywhere while a state is taken in comes level", () =>
    takingAState(TAKING_A_STATE.map((name) => `${name}=${SLEEP}`).join(";"), async (control) => {
      for (const name of TAKING_A_STATE) await eventuallyActed(control, name);
    }));

  for (const name of TAKING_A_STATE) {
    test(`${name}: panics while a state is taken in`, () =>
      takingAState(`${name}=panic`, (_, { server }) => panicked(server, name)));
  }

  test("a state that cannot be kept is sent again", () =>
    takingAState(`snapDBDirSyncError=1*return("no luck")`, async (control, { server }) => {
      await eventuallyActed(control, "snapDBDirSyncError");
      assert.match(server.log, /no luck/);
    }));

  test("the load was real", (t) => realLoad(t, three));
});

/** Of a server that may not listen yet. */
async function eventuallyActed(control: FailpointControl, name: FailpointName): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return await control.acted(name, 1);
    } catch (error) {
      if (tries > 200 || (error as Error).message !== "fetch failed") throw error;
      await sleep(20);
    }
  }
}
