/** One cluster of our members and etcd's: writes through each, leadership on either side, members that come and go. */
import { test } from "node:test";
import { ClusterProcess, type MemberSpec } from "../support/cluster-process.ts";
import { requireTool } from "../support/tools.ts";

const OURS = "ours";

async function writeThroughAll(cluster: ClusterProcess, prefix: string): Promise<void> {
  for (const member of cluster.members) {
    await cluster.eventually(`${member.name} takes a write`, () => member.put(`${prefix}/${member.name}`, "v"));
  }
  await cluster.level();
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
          await cluster.lead(member);
          await writeThroughAll(cluster, `led by ${member.name}`);
        }
        for (const member of cluster.members) {
          await member.server.stop("SIGKILL");
          const other = cluster.any();
          await cluster.eventually("the others write", () => other.put("without", member.name));
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
