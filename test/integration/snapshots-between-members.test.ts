/** Members that are too far behind for the log come level by a snapshot of another member. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type ClusterMember, ClusterProcess, ours } from "../support/cluster-process.ts";

/** So few that a hundred writes are more than the log holds. */
const FLAGS = ["--snapshot-count=30", "--snapshot-catchup-entries=5", "--backend-batch-interval=20ms"];

async function withCluster(t: TestContext, body: (cluster: ClusterProcess) => Promise<void>): Promise<void> {
  const cluster = await ClusterProcess.start(ours("m0", "m1", "m2"), FLAGS);
  try {
    await body(cluster);
  } catch (error) {
    t.diagnostic(cluster.logs);
    throw error;
  } finally {
    await cluster.remove();
  }
}

async function write(through: ClusterMember, prefix: string, count: number): Promise<void> {
  for (let n = 0; n < count; n++) await through.put(`${prefix} ${n}`, "x".repeat(1000));
}

const installed = ({ server }: ClusterMember) => server.log.split("installed the state that another").length - 1;

test("a member that was away for longer than the log reaches comes level by a snapshot, and goes on", async (t) => {
  await withCluster(t, async (cluster) => {
    const [first, , away] = cluster.members as [ClusterMember, ClusterMember, ClusterMember];
    await write(first, "before", 10);
    await away.server.stop();
    await write(first, "missed", 60);
    await away.server.launch();
    const { hash } = await cluster.level();
    assert.equal(installed(away), 1);
    assert.equal(await away.local("missed 59"), "x".repeat(1000));
    await away.put("through it", "too");
    const after = await cluster.level();
    assert.notEqual(after.hash, hash);
    await away.server.stop("SIGKILL");
    await away.server.launch();
    assert.deepEqual(await cluster.level(), after);
    assert.equal(installed(away), 0, "it goes on from its own store");
  });
});

test("a new member of a cluster whose log was cut comes level by a snapshot, and counts", async (t) => {
  await withCluster(t, async (cluster) => {
    const [first, second] = cluster.members as [ClusterMember, ClusterMember, ClusterMember];
    await write(first, "before", 60);
    const added = await cluster.join({ name: "m3" });
    await cluster.level();
    assert.equal(installed(added), 1);
    await second.server.stop("SIGKILL"); // three of four are the quorum: the new one is needed
    await cluster.eventually("it is written", () => added.put("with the new one", "it goes on"));
    await cluster.level();
    assert.equal(await first.local("with the new one"), "it goes on");
  });
});
