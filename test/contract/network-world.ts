/** What the contract of the network asks of a world with members in it, real or simulated. */
import type { AnswerTable, Network } from "../../server/ports/network.ts";
import { type Entry, Message, MessageType } from "../../server/proto/raftpb.ts";
import type { Witness } from "./network-witness.ts";

export interface ContractMember {
  readonly id: bigint;
  /** Its peer URL. */
  readonly url: string;
  /** Started; what is called on it is watched by the witness. */
  readonly network: Network;
  readonly witness: Witness;
}

export interface MemberOptions {
  readonly answers?: Partial<AnswerTable>;
  readonly clusterId?: bigint;
}

export interface NetworkWorld {
  /** A member that knows nobody. */
  member(id: bigint, options?: MemberOptions): Promise<ContractMember>;
  /** Resolves when the condition holds; rejects after a time that is long for this world. */
  until(condition: () => boolean, what: string): Promise<void>;
  /** What the promise comes to. */
  come<T>(promise: Promise<T>): Promise<T>;
  /** A time in which whatever is on its way arrives. */
  settle(): Promise<void>;
  /** Closes all networks. */
  close(): Promise<void>;
}

/** What every network must do: rejects when it does not. */
export type Rule = (world: NetworkWorld) => Promise<void>;
export type Rules = Readonly<Record<string, Rule>>;

/** Where nobody listens. */
export const NOBODY = "http://127.0.0.1:1";

/** Two members that know each other and can reach each other. */
export async function twoMembers(
  world: NetworkWorld,
  options: MemberOptions = {},
): Promise<readonly [ContractMember, ContractMember]> {
  const [one, two] = [await world.member(1n, options), await world.member(2n, options)];
  one.network.addPeer(2n, [two.url]);
  two.network.addPeer(1n, [one.url]);
  await world.until(
    () => one.network.activeSince(2n) !== undefined && two.network.activeSince(1n) !== undefined,
    "the members reach each other",
  );
  return [one, two];
}

export function heartbeat(from: bigint, to: bigint, commit: number): Message {
  return Message.create({ type: MessageType.HEARTBEAT, to, from, term: 5, commit });
}

export function append(from: bigint, to: bigint, index: number): Message {
  const entry: Entry = { type: 0, term: 5, index: index + 1, data: new Uint8Array(100).fill(index) };
  return Message.create({ type: MessageType.APP, to, from, term: 5, logTerm: 5, index, entries: [entry], commit: 1 });
}
