/**
 * Clients that read a few lists and append to one or two of them in one transaction, if nobody has written to them since:
 * what the checker of cycles reads. Lists are taken anew before they get long.
 */
import { utf8Bytes } from "../../../server/base/bytes.ts";
import {
  Compare,
  CompareResult,
  CompareTarget,
  type RequestOp,
  TxnRequest,
} from "../../../server/proto/etcdserverpb.ts";
import type { Kv, Result } from "../../checkers/history.ts";
import { decodeList, encodeList, type ListStep, type ListTransaction } from "../../checkers/list-transactions.ts";
import { put, range, step } from "./key-clients.ts";
import type { End } from "./recorder.ts";
import type { Session } from "./session.ts";

const LISTS = 3;
/** Appends until the lists are taken anew. */
const GENERATION_APPENDS = 90;

/** Which lists are used now, for all clients together. */
export class Lists {
  #appends = 0;

  /** Never given twice. */
  value(): number {
    return this.#appends++;
  }

  names(): string[] {
    const generation = String(Math.floor(this.#appends / GENERATION_APPENDS)).padStart(5, "0");
    return Array.from({ length: LISTS }, (_, at) => `list/${generation}/${at}`);
  }
}

/** Transactions until the load is over. */
export async function runListClient(session: Session, lists: Lists): Promise<void> {
  const { random, field } = session;
  while (!field.isOver) {
    const names = lists.names();
    const read = random.chance(0.5) ? names : [random.pick(names)];
    const seen = await readLists(session, read);
    if (seen === undefined) continue;
    const appended = read.slice(0, 1 + random.below(Math.min(2, read.length)));
    await append(session, seen, new Map(appended.map((name) => [name, lists.value()])));
  }
  session.close();
}

/** All of them at one revision; undefined when there was no answer. */
async function readLists(session: Session, names: readonly string[]): Promise<Map<string, Kv | undefined> | undefined> {
  const success = names.map((name) => step(range(name)));
  const calledMs = session.field.recorder.nowMs;
  const { end } = await session.keys({ kind: "txn", value: TxnRequest.create({ success }) });
  const results = resultsOf(end);
  if (results === undefined) return undefined;
  const seen = new Map(names.map((name, at) => [name, kvOf(results[at])]));
  note(
    session,
    calledMs,
    names.map((key): ListStep => ({ kind: "read", key, list: listOf(seen.get(key)) })),
    "committed",
  );
  return seen;
}

/** Appends the values, if every list is still as it was seen. */
async function append(
  session: Session,
  seen: ReadonlyMap<string, Kv | undefined>,
  values: ReadonlyMap<string, number>,
): Promise<void> {
  const compare = [...seen].map(([name, kv]) =>
    Compare.create({
      key: utf8Bytes(name),
      result: CompareResult.EQUAL,
      target: CompareTarget.MOD,
      targetUnion: { kind: "modRevision", value: kv?.modRevision ?? 0 },
    }),
  );
  const success: RequestOp[] = [...values].map(([name, value]) =>
    step(put(name, encodeList([...listOf(seen.get(name)), value]))),
  );
  const calledMs = session.field.recorder.nowMs;
  const { end } = await session.keys({ kind: "txn", value: TxnRequest.create({ compare, success }) });
  const reads = [...seen].map(([key, kv]): ListStep => ({ kind: "read", key, list: listOf(kv) }));
  const appends = [...values].map(([key, value]): ListStep => ({ kind: "append", key, value }));
  const outcome = isDone(end) ? "committed" : end.kind === "open" ? "unknown" : "aborted";
  // What was read before counts only where the transaction has found it to be so.
  note(session, calledMs, outcome === "committed" ? [...reads, ...appends] : appends, outcome);
}

function note(
  { name, field: { recorder } }: Session,
  calledMs: number,
  steps: readonly ListStep[],
  outcome: ListTransaction["outcome"],
): void {
  recorder.lists.push({
    id: recorder.lists.length,
    client: name,
    calledMs,
    returnedMs: recorder.nowMs,
    steps,
    outcome,
  });
}

function resultsOf(end: End): readonly Result[] | undefined {
  return end.kind === "done" && end.result.kind === "txn" ? end.result.results : undefined;
}

function isDone(end: End): boolean {
  return end.kind === "done" && end.result.kind === "txn" && end.result.succeeded;
}

function kvOf(result: Result | undefined): Kv | undefined {
  return result?.kind === "range" ? result.kvs[0] : undefined;
}

function listOf(kv: Kv | undefined): number[] {
  return decodeList(kv?.value ?? "");
}
