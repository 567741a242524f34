/**
 * What the members say of themselves, asked all at once and each with an end of its own. One that does not answer is
 * unknown, and the pass goes on without it.
 */
import {
  type Endpoint,
  type EtcdAdmin,
  EtcdRefusal,
  type LoadedFingerprints,
  type MemberAlarm,
  type MemberList,
  type MemberStatus,
} from "../etcd/etcd-admin.ts";
import type { AskedFacts, EtcdFacts } from "../plan/observation.ts";
import type { LoadedByMember } from "./certificates.ts";
import type { Endpoints } from "./members.ts";

/** A member that is alive answers in milliseconds; one that takes longer is as good as silent. */
export const ASK_MS = 2000;

/** Voters that are asked for the list before it counts as unknown. */
const LIST_ATTEMPTS = 2;

export interface Asking {
  readonly etcd: EtcdAdmin;
  readonly endpoints: Endpoints;
  /** Members that were not asked, with the reason. */
  readonly notAsked: ReadonlyMap<string, string>;
  /** By member: where its metrics are, when its certificates are to be read. */
  readonly metricsUrls: ReadonlyMap<string, string>;
  readonly now: () => number;
}

export interface Answers {
  /** The earlier samples are added by who keeps them. */
  readonly etcd: Omit<EtcdFacts, "earlier">;
  readonly loaded: LoadedByMember;
}

export async function askMembers(asking: Asking): Promise<Answers> {
  const asked = await Promise.all(
    [...asking.endpoints].map(async ([member, endpoint]) => ({ member, ...(await askOne(asking, member, endpoint)) })),
  );
  const members = new Map<string, AskedFacts>(asked.map(({ member, facts }) => [member, facts]));
  for (const [member, why] of asking.notAsked) members.set(member, silent(asking.now(), why));
  const voters = votersOf(asking.endpoints, members);
  const { etcd } = asking;
  // A list without the alarms that belong to it would say that there are none.
  const found = await firstAnswer(voters, async (endpoint) => {
    const [list, alarms] = await Promise.all([etcd.members(endpoint, ASK_MS), etcd.alarms(endpoint, ASK_MS)]);
    return { list, alarms };
  });
  return {
    etcd: { list: found && listFacts(found.list), members, alarms: found?.alarms.map(alarmFacts) ?? [] },
    loaded: new Map(asked.map(({ member, loaded }) => [member, loaded])),
  };
}

interface Told {
  readonly facts: AskedFacts;
  readonly loaded: LoadedFingerprints | undefined;
}

async function askOne({ etcd, metricsUrls, now }: Asking, member: string, endpoint: Endpoint): Promise<Told> {
  const url = metricsUrls.get(member);
  const [status, probe, loaded] = await Promise.all([
    outcome(etcd.status(endpoint, ASK_MS)),
    outcome(etcd.probe(endpoint, ASK_MS)),
    url === undefined ? undefined : outcome(etcd.loadedCertificates(url, ASK_MS)),
  ]);
  const facts = {
    at: now(),
    status: status.answer && statusFacts(status.answer),
    isServing: probe.isDone,
    loadedCertificates: loaded?.answer && [...new Set([...loaded.answer.client, ...loaded.answer.peer])],
    error: status.error ?? (status.answer?.isLearner === true ? undefined : probe.error),
  };
  return { facts, loaded: loaded?.answer };
}

function silent(at: number, why: string): AskedFacts {
  return { at, status: undefined, isServing: false, loadedCertificates: undefined, error: `not asked: ${why}` };
}

interface Outcome<T> {
  readonly isDone: boolean;
  readonly answer?: T;
  readonly error?: string;
}

/** A refusal is something to know; anything else is a mistake of ours, and is passed on. */
async function outcome<T>(call: Promise<T>): Promise<Outcome<T>> {
  try {
    return { isDone: true, answer: await call };
  } catch (error) {
    if (error instanceof EtcdRefusal) return { isDone: false, error: error.message };
    throw error;
  }
}

/** Who may be asked for the list: no learner, nobody without a leader; the leader first, as it needs nobody else. */
function votersOf(endpoints: Endpoints, members: ReadonlyMap<string, AskedFacts>): readonly Endpoint[] {
  const [leaders, others]: [Endpoint[], Endpoint[]] = [[], []];
  for (const [member, endpoint] of endpoints) {
    const status = members.get(member)?.status;
    if (status === undefined || status.isLearner || status.leaderId === "") continue;
    (status.leaderId === status.memberId ? leaders : others).push(endpoint);
  }
  return [...leaders, ...others];
}

async function firstAnswer<T>(
  endpoints: readonly Endpoint[],
  ask: (endpoint: Endpoint) => Promise<T>,
): Promise<T | undefined> {
  for (const endpoint of endpoints.slice(0, LIST_ATTEMPTS)) {
    const { answer } = await outcome(ask(endpoint));
    if (answer !== undefined) return answer;
  }
  return undefined;
}

function statusFacts(status: MemberStatus): NonNullable<AskedFacts["status"]> {
  const { clusterId, memberId, version, leaderId, isLearner } = status;
  const { raftTerm, raftIndex, appliedIndex, dbSize, dbSizeInUse } = status;
  return {
    clusterId,
    memberId,
    version,
    leaderId,
    isLearner,
    raftTerm,
    raftIndex,
    appliedIndex,
    dbSize,
    dbSizeInUse,
  };
}

function listFacts({ clusterId, members }: MemberList): NonNullable<EtcdFacts["list"]> {
  return {
    clusterId,
    members: members.map(({ id, name, peerUrls, isLearner }) => ({ id, name, peerUrls, isLearner })),
  };
}

function alarmFacts({ memberId, alarm }: MemberAlarm): EtcdFacts["alarms"][number] {
  return { memberId, alarm };
}
