/** Three real members of which two are lost: the third goes on alone, grows again, and the old data stay outside. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SERVICES } from "../../server/proto/services.ts";
import { type ClusterMember, ClusterProcess, ours } from "../support/cluster-process.ts";
import { ServerProcess } from "../support/server-process.ts";

const CALL = { timeoutMs: 3000 };

describe("--force-new-cluster", { timeout: 120_000 }, () => {
  test("one of three goes on with its data, the others cannot come back, and a new one joins", async (t) => {
    const cluster = await ClusterProcess.start(ours("one", "two", "three"));
    t.after(() => cluster.remove());
    const [survivor, second, third] = cluster.members as [ClusterMember, ClusterMember, ClusterMember];
    for (let n = 0; n < 50; n++) await survivor.put(`key ${n}`, `${n}`);
    const before = await cluster.level();
    await Promise.all([second, third].map(({ server }) => server.stop("SIGKILL")));
    await survivor.server.stop("SIGKILL");
    survivor.flags.push("--force-new-cluster");
    await survivor.server.launch();
    survivor.flags.pop();
    assert.match(survivor.server.log, /goes on as a cluster of one/);
    const after = await cluster.eventually("it answers", () => survivor.hash());
    assert.deepEqual([after.revision, after.hash], [before.revision, before.hash]);
    const { members } = await survivor.client.unary(SERVICES.cluster.methods.memberList, { linearizable: true }, CALL);
    assert.deepEqual(
      members.map(({ name }) => name),
      ["one"],
    );
    await survivor.put("alone", "v");

    const { code } = await second.server.spawn();
    assert.equal(code, 1);
    assert.match(second.server.log, /removed from the cluster/);
    assert.equal(await survivor.get("alone"), "v");

    await survivor.server.stop();
    await survivor.server.launch();
    const fourth = await cluster.join({ name: "four" });
    await cluster.level();
    assert.equal(await fourth.get("alone"), "v");
    assert.equal(await fourth.get("key 49"), "49");
  });

  test("on an empty data directory it is refused, and nothing is made there", async (t) => {
    const server = await ServerProcess.prepare({ flags: ["--force-new-cluster"] });
    t.after(() => server.remove());
    assert.equal((await server.spawn()).code, 1);
    assert.match(server.log, /--force-new-cluster goes on with the data of a member, and there is no log in/);
  });
});
