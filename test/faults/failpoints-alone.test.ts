/**
 * The failpoints of a member alone on real processes, armed over HTTP under load: with a sleep nothing is lost and nobody
 * sees an error; with a panic the process ends there, comes back, and has all that was acknowledged, with the HashKV of a
 * replay. Takes SEED; what a failpoint meets is the machine's affair.
 */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { utf8Bytes } from "../../server/base/bytes.ts";
import { FAILPOINTS, type FailpointName } from "../../server/base/failpoint.ts";
import { connect } from "../../server/client/client.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { ALONE, AT_START } from "../robustness/failpoint-cases.ts";
import { FailpointControl, panicked } from "../robustness/failpoint-control.ts";
import { failpointFlags, panics, realLoad, sleeps, type Victim } from "../robustness/failpoint-steps.ts";
import { MembersUnderLoad, Supply } from "../robustness/members-under-load.ts";
import { ACKNOWLEDGE_BEFORE_SYNC, ACKNOWLEDGE_BEFORE_WRITE, type Edit, PlantedServer } from "../robustness/planted.ts";
import { freePorts, ServerProcess } from "../support/server-process.ts";

const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));

class Alone extends MembersUnderLoad implements Victim {
  readonly control: FailpointControl;
  readonly server: ServerProcess;

  private constructor(control: FailpointControl, server: ServerProcess) {
    super(server.url, SEED);
    this.control = control;
    this.server = server;
  }

  static async start(command?: readonly string[]): Promise<Alone> {
    const [port] = await freePorts(1);
    const control = new FailpointControl(port as number);
    const options = { flags: failpointFlags(100), env: control.env, ...(command === undefined ? {} : { command }) };
    const alone = new Alone(control, await ServerProcess.prepare(options));
    await alone.begin();
    return alone;
  }

  get url(): string {
    return this.server.url;
  }

  get lastWords(): string {
    return this.server.lastWords;
  }

  remove(): Promise<void> {
    return this.server.remove();
  }

  protected async restarted(): Promise<void> {
    if (!this.server.isRunning) await this.server.launch();
  }

  protected level(): Promise<string> {
    return Promise.resolve(this.url);
  }
}

describe(`a member alone (seed ${SEED})`, { concurrency: 2 }, () => {
  const supply = new Supply(() => Alone.start());
  after(() => supply.remove());

  test("all names are listed, and bad requests are refused in words", () =>
    supply.use(async ({ control }) => {
      assert.deepEqual([...(await control.list()).keys()].sort(), [...FAILPOINTS].sort());
      await control.arm("beforeCommit", "off");
      assert.equal((await control.list()).get("beforeCommit"), "off");
      await control.disarm("beforeCommit");
      assert.equal((await control.list()).get("beforeCommit"), "");
      await assert.rejects(control.arm("beforeCommit", "explode"), /400: "explode" is no action/);
      await assert.rejects(control.arm("nowhere" as FailpointName, "panic"), /400: there is no failpoint "nowhere"/);
      await assert.rejects(control.arm("beforeCommit", 'return("x")'), /400: "beforeCommit" takes no value/);
    }));

  for (const one of ALONE) {
    test(`${one.name}: sleeps, panics`, () =>
      supply.use((alone) =>
        alone.under(async () => {
          await sleeps(one, alone);
          await panics(one, alone);
        }),
      ));
  }

  for (const name of AT_START) {
    test(`${name}: sleeps, panics while the member starts`, () =>
      supply.use(async (alone) => {
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
        await alone.judge();
      }));
  }

  test("a defragmentation that is told to fail says so, and the server goes on", () =>
    supply.use((alone) =>
      alone.under(async () => {
        const client = connect(alone.url);
        try {
          for (const name of ["defragOpenFileError", "defragdbFail"] as const) {
            await alone.control.arm(name, `return("no luck at ${name}")`);
            const refused = await client.call(SERVICES.maintenance.methods.defragment, {});
            assert.match(refused.status.text, new RegExp(`no luck at ${name}`));
            await alone.control.disarm(name);
          }
          await client.unary(SERVICES.maintenance.methods.defragment, {});
        } finally {
          client.close();
        }
      }),
    ));

  test("nothing is answered before its sync", (t) =>
    supply.use(async (alone) => t.diagnostic(await answersWaitForSync(alone))));

  test("the load was real", (t) => realLoad(t, supply));
});

const SYNC_MS = 1000;
/** One that is late for want of a processor must not hide that none waits. */
const PUTS = 3;

/** Throws when a put is answered while its sync is held; says how long they took. */
async function answersWaitForSync({ control, url }: Alone): Promise<string> {
  await control.arm("walBeforeSync", `sleep(${SYNC_MS})`);
  const client = connect(url);
  const tookMs: number[] = [];
  try {
    for (let put = 0; put < PUTS; put++) {
      const started = performance.now();
      await client.unary(SERVICES.kv.methods.put, { key: utf8Bytes("probe"), value: utf8Bytes("1") });
      tookMs.push(Math.round(performance.now() - started));
    }
  } finally {
    client.close();
    await control.disarm("walBeforeSync");
  }
  const text = `answered after ${tookMs.join(", ")} ms, while its sync took ${SYNC_MS}`;
  assert.ok(Math.min(...tookMs) >= SYNC_MS * 0.9, text);
  return text;
}

describe("planted mistakes are caught", { concurrency: 2 }, () => {
  const on = async (mistake: Edit, action: (alone: Alone) => Promise<unknown>) => {
    const planted = new PlantedServer(mistake);
    const supply = new Supply(() => Alone.start(planted.command));
    try {
      await supply.use(action);
    } finally {
      await supply.remove();
      planted.remove();
    }
  };

  test("answers that are given before the log is written, by a panic before the store's commit", () =>
    assert.rejects(
      on(ACKNOWLEDGE_BEFORE_WRITE, async (alone) => {
        // What was answered since the last commit is in the log alone, or nowhere.
        for (let round = 0; round < 5; round++)
          await alone.under(() => panics({ name: "commitBeforePreCommitHook" }, alone));
      }),
      /is not there|but the store stands at|ends at entry/,
    ));

  test("answers that are given before the log is synced, by a sleep before the sync", () =>
    assert.rejects(on(ACKNOWLEDGE_BEFORE_SYNC, answersWaitForSync), /while its sync took/));
});
