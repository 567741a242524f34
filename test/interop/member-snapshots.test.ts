/**
 * Snapshots between members of ours and real etcd: whoever leads sends one to a member that was away too long, or is new.
 * HashKV of all is then the same, and the one that was sent goes on as any other.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ClusterMember, ClusterProcess } from "../support/cluster-process.ts";
import { requireTool } from "../support/tools.ts";

const FLAGS = ["--snapshot-count=20", "--snapshot-catchup-entries=5", "--strict-reconfig-check=false"];
const WRITES = 80;

for (const program of ["etcd", "etcd-3.6"]) {
  test(`our leader sends a snapshot to a member of ${program}, and its leader one to ours`, async (t) => {
    const path = requireTool(t, program);
    if (path === undefined) return;
    const cluster = await ClusterProcess.start(
      [{ name: "m0" }, { name: "m1", command: [path] }, { name: "m2" }],
      FLAGS,
    );
    try {
      const [ours, etcd, other] = cluster.members as [ClusterMember, ClusterMember, ClusterMember];
      await cluster.lead(ours);
      await leftBehind(ours, etcd, "of ours");
      await cluster.level();
      assert.match(etcd.server.log, /applied snapshot|applied incoming Raft snapshot/);

      await cluster.lead(etcd);
      await leftBehind(etcd, other, "of etcd");
      const { revision } = await cluster.level();
      assert.match(other.server.log, /installed the state that another member sent/);
      assert.equal(await other.local("of etcd 0"), "x".repeat(500));

      const added = await cluster.join({ name: "m3" });
      await cluster.level();
      assert.match(added.server.log, /installed the state that another member sent/);

      await cluster.lead(ours);
      for (const member of [etcd, other]) {
        await member.server.stop("SIGKILL");
        await member.server.launch();
      }
      await cluster.eventually("it is written", () => other.put("the last", "one"));
      const last = await cluster.level();
      assert.ok(last.revision > revision);
      t.diagnostic(`HashKV ${last.hash} at revision ${last.revision}`);
    } catch (error) {
      t.diagnostic(cluster.logs);
      throw error;
    } finally {
      await cluster.remove();
    }
  });
}

/** `member` is away while `leader` writes more than the log holds. */
async function leftBehind(leader: ClusterMember, member: ClusterMember, prefix: string): Promise<void> {
  await member.server.stop();
  for (let n = 0; n < WRITES; n++) await leader.put(`${prefix} ${n}`, "x".repeat(500));
  await member.server.launch();
}
