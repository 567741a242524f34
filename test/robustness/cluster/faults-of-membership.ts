/** Members that are replaced: one goes for good, and another comes with an empty disk, learns, and is promoted. */
import { SERVICES } from "../../../server/proto/services.ts";
import type { ClusterMember } from "../../support/cluster-process.ts";
import type { Fault } from "./fault.ts";
import type { Field } from "./field.ts";

const { memberList, memberPromote, memberRemove } = SERVICES.cluster.methods;
const LEADER_SHARE = 0.4;
const CALL = { timeoutMs: 3000 };

const replace: Fault = {
  name: "member replaced",
  isAlone: true,
  async run(field) {
    const gone = await field.take(LEADER_SHARE);
    if (gone === undefined) return undefined;
    const isKilled = field.random.chance(0.5);
    if (isKilled) await field.stop(gone, "SIGKILL");
    else field.mayEnd(gone);
    await remove(field, gone);
    const joined = await field.join();
    await promote(field, joined);
    return `${gone.name}${isKilled ? ", killed before" : ""}, by ${joined.name}`;
  },
};

export const FAULTS_OF_MEMBERSHIP: readonly Fault[] = [replace];

async function remove({ cluster }: Field, gone: ClusterMember): Promise<void> {
  const id = await idOf(cluster, gone.name);
  cluster.members.splice(cluster.members.indexOf(gone), 1);
  // The answer to the first request may have been lost, and then there is no such member any more.
  await cluster.eventually(`"${gone.name}" is removed`, async () => {
    const { status } = await cluster.any().client.call(memberRemove, { id }, CALL);
    if (status.code !== 0 && !/member not found/.test(status.text)) throw new Error(status.text);
  });
  gone.client.close();
  await gone.server.remove();
}

async function promote({ cluster }: Field, joined: ClusterMember): Promise<void> {
  const id = await idOf(cluster, joined.name);
  await cluster.eventually(`"${joined.name}" is promoted`, async () => {
    const { status } = await cluster.any().client.call(memberPromote, { id }, CALL);
    if (status.code !== 0 && !/can only promote a learner member$/.test(status.text)) throw new Error(status.text);
  });
}

function idOf(cluster: Field["cluster"], name: string): Promise<bigint> {
  return cluster.eventually(`"${name}" is listed`, async () => {
    const { members } = await cluster.any().client.unary(memberList, { linearizable: true }, CALL);
    const found = members.find((member) => member.name === name);
    if (found === undefined) throw new Error(`there is no "${name}" among ${members.map((one) => one.name).join()}`);
    return found.id;
  });
}
