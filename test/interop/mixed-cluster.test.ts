/** One cluster of our members and etcd's: writes through each, leadership on either side, members that come and go. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Bytes } from "../../server/base/bytes.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { type ClusterMember, ClusterProcess, type MemberSpec } from "../support/cluster-process.ts";
import { requireTool } from "../support/tools.ts";

const { kv, maintenance } = SERVICES;
const CALL = { timeoutMs: 3000 };
const OURS = "ours";

async function writeThroughAll(cluster: ClusterProcess, prefix: string): Promise<void> {
  for (const member of cluster.members) {
    await cluster.eventually(`${member.name} takes a write`, () =>
      member.client.unary(kv.methods.put, { key: utf8Bytes(`${prefix}/${member.name}`), value: utf8Bytes("v") }, CALL),
    );
  }
  await cluster.level();
}

async function moveTo(cluster: ClusterProcess, target: ClusterMember): Promise<void> {
  const targetId = await cluster.idOf(target);
  await cluster.eventually(`${target.name} leads`, async () => {
    const leader = await cluster.leader();
    if (leader !== target) await leader.client.unary(maintenance.methods.moveLeader, { targetId }, CALL);
    assert.equal((await cluster.leader()).name, target.name);
  });
}

for (const [etcd, mixes] of [
  [
    "etcd",
    [
      [OURS, OURS, "etcd"],
      [OURS, "etcd", "etcd"],
    ],
  ],
  [
    "etcd-3.6",
    [
      [OURS, OURS, "etcd-3.6"],
      [OURS, "etcd-3.6", "etcd-3.6"],
    ],
  ],
] as const)
  for (const mix of mixes)
    test(`${mix.join(", ")}: each writes, each leads, each is killed and comes back`, {
      timeout: 240_000,
    }, async (t) => {
      const program = requireTool(t, etcd);
      if (program === undefined) return;
      const specs = mix.map((kind, at): MemberSpec => {
        const name = `${kind === OURS ? "kvorum" : "etcd"}-${at}`;
        return kind === OURS ? { name } : { name, command: [program] };
      });
      const cluster = await ClusterProcess.start(specs);
      try {
        await writeThroughAll(cluster, "first");
        for (const member of cluster.members) {
          await moveTo(cluster, member);
          await writeThroughAll(cluster, `led by ${member.name}`);
        }
        for (const member of cluster.members) {
          await member.server.stop("SIGKILL");
          const other = cluster.any();
          await cluster.eventually("the others write", () =>
            other.client.unary(kv.methods.put, { key: utf8Bytes("without"), value: utf8Bytes(member.name) }, CALL),
          );
          await member.server.launch();
          await cluster.level();
        }
      } finally {
        await cluster.remove();
      }
    });

test("a cluster of etcd becomes one of ours, member by member, and etcd's again", { timeout: 240_000 }, async (t) => {
  const program = requireTool(t, "etcd");
  if (program === undefined) return;
  const cluster = await ClusterProcess.start([1, 2, 3].map((at) => ({ name: `etcd-${at}`, command: [program] })));
  try {
    await writeThroughAll(cluster, "before");
    for (const [to, command] of [
      ["kvorum", undefined],
      ["again", [program]],
    ] as const)
      for (const member of [...cluster.members]) {
        await cluster.leave(member);
        await cluster.join({ name: `${to}-for-${member.name}`, ...(command === undefined ? {} : { command }) });
        await writeThroughAll(cluster, `${to} for ${member.name}`);
      }
  } finally {
    await cluster.remove();
  }
});
