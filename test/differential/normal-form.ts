/**
 * Answers made comparable. Only what must differ is taken out: a server's own ids, its term, and the time that a lease
 * still has. What etcd leaves open (the order of equal items in a sorted list) is brought into one order.
 */
import { compareBytes } from "../../server/base/bytes.ts";
import {
  type RangeRequest,
  type RangeResponse,
  SortTarget,
  type TxnRequest,
  type TxnResponse,
} from "../../server/proto/etcdserverpb.ts";
import { KeyValue } from "../../server/proto/mvccpb.ts";
import type { Answer } from "./endpoint.ts";
import type { Request } from "./generator.ts";

/** A readable, comparable form of an answer. */
export function normalForm(request: Request, answer: Answer): string {
  const messages =
    request.method === "rangeStream"
      ? [mergedStream(answer)]
      : answer.messages.map((message) => ordered(request, message));
  return JSON.stringify({ code: answer.code, text: answer.text, trailers: answer.trailers, messages }, replace, 1);
}

function replace(this: unknown, key: string, value: unknown): unknown {
  if (key === "memberId" || key === "clusterId") return value === 0n ? "none" : "own";
  if (key === "raftTerm") return value === 0 ? "none" : "some";
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return `hex:${Buffer.from(value).toString("hex")}`;
  return value;
}

/** How a stream is cut is the server's affair; what it says in all is not. */
function mergedStream(answer: Answer): object {
  const chunks = answer.messages.map((message) => (message as { rangeResponse?: RangeResponse }).rangeResponse);
  const last = chunks.at(-1);
  const early = chunks.slice(0, -1).some((chunk) => chunk?.header !== undefined || chunk?.more || chunk?.count !== 0);
  return { ...last, kvs: chunks.flatMap((chunk) => chunk?.kvs ?? []), headerOnlyInLast: !early };
}

function ordered(request: Request, message: object): object {
  switch (request.method) {
    case "range":
      return orderedRange(request.message, message as RangeResponse);
    case "txn":
      return orderedTxn(request.message, message as TxnResponse);
    case "leaseTimeToLive": {
      const { ttl, keys, ...rest } = message as { ttl: number; keys: Uint8Array[] };
      return { ...rest, ttl: ttl > 0 ? "some" : ttl, keys: [...keys].sort(compareBytes) };
    }
    case "leaseLeases": {
      const { leases, ...rest } = message as { leases: { id: bigint }[] };
      return { ...rest, leases: leases.map(({ id }) => id).sort() };
    }
    default:
      return message;
  }
}

function orderedTxn(request: TxnRequest, response: TxnResponse): object {
  const branch = response.succeeded ? request.success : request.failure;
  const responses = response.responses.map(({ response: one }, at) => {
    const asked = branch[at]?.request;
    if (one?.kind === "range" && asked?.kind === "range")
      return { kind: "range", value: orderedRange(asked.value, one.value) };
    if (one?.kind === "txn" && asked?.kind === "txn") return { kind: "txn", value: orderedTxn(asked.value, one.value) };
    return one;
  });
  return { ...response, responses };
}

/** Equal items of a sorted list in the order of their keys; of the last group of a cut list only what it was sorted by. */
function orderedRange(request: RangeRequest, response: RangeResponse): object {
  if (request.sortTarget === SortTarget.KEY || response.kvs.length < 2) return response;
  const items = response.kvs.map((bytes) => ({ bytes, kv: KeyValue.decode(bytes) }));
  const last = sortedBy(request.sortTarget, (items.at(-1) as { kv: KeyValue }).kv);
  const groups = new Map<string, Uint8Array[]>();
  for (const { bytes, kv } of items) {
    const group = sortedBy(request.sortTarget, kv);
    groups.set(group, [...(groups.get(group) ?? []), bytes]);
  }
  const kvs = [...groups].flatMap(([group, members]): (Uint8Array | string)[] =>
    response.more && group === last ? members.map(() => `sorted by ${group}`) : members.sort(compareBytes),
  );
  return { ...response, kvs };
}

function sortedBy(target: number, kv: KeyValue): string {
  switch (target) {
    case SortTarget.VERSION:
      return String(kv.version);
    case SortTarget.CREATE:
      return String(kv.createRevision);
    case SortTarget.MOD:
      return String(kv.modRevision);
    default:
      return Buffer.from(kv.value).toString("hex");
  }
}
