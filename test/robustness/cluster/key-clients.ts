/**
 * Clients that put, read, delete and exchange a few keys. Keys are taken anew after some hundred calls: so each of these
 * windows is a short history that begins with nothing, for the checker that searches; and none grows for ever.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { fromByteString, utf8Bytes } from "../../../server/base/bytes.ts";
import {
  Compare,
  CompareResult,
  CompareTarget,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  type RequestOpUnion,
  TxnRequest,
} from "../../../server/proto/etcdserverpb.ts";
import type { Kv } from "../../checkers/history.ts";
import type { End } from "./recorder.ts";
import type { Session } from "./session.ts";

const KEYS = 4;
/** Calls until the keys are taken anew. */
const WINDOW_CALLS = 120;
/** Longest pause between two calls of a client. */
const REST_MS = 12;
/** Of a large value; most are some ten bytes. */
const LARGE_BYTES = 20_000;
const LARGE_SHARE = 0.01;
/** How far back reads of the past go. */
const PAST_REVISIONS = 200;

/** Which keys are used now, for all clients together. */
export class Windows {
  #calls = 0;
  #values = 0;

  /** The name that all keys of the present window begin with. */
  next(): string {
    return windowName(Math.floor(this.#calls++ / WINDOW_CALLS));
  }

  /** Written once. */
  value(): string {
    return `${this.#values++}`;
  }
}

export const WINDOW_PREFIX = "w/";

function windowName(number: number): string {
  return `${WINDOW_PREFIX}${String(number).padStart(6, "0")}/`;
}

/** Which window a key belongs to; undefined: none. */
export function windowOf(key: string): string | undefined {
  return key.startsWith(WINDOW_PREFIX) ? key.slice(0, key.lastIndexOf("/") + 1) : undefined;
}

/** Calls until the load is over. */
export async function runKeyClient(session: Session, windows: Windows): Promise<void> {
  const { random, field } = session;
  /** What this client has seen last of each key. */
  let seen = new Map<string, Kv>();
  let last = 0;
  while (!field.isOver) {
    const prefix = windows.next();
    const keys = Array.from({ length: KEYS }, (_, at) => `${prefix}${at}`);
    const key = random.pick(keys);
    if (![...seen.keys()].every((name) => name.startsWith(prefix))) seen = new Map();
    const operation = choose(session, { key, keys, prefix, seen, last, value: windows.value() });
    const { end } = await session.keys(operation);
    last = Math.max(last, revisionOf(end));
    for (const kv of kvsOf(end)) seen.set(kv.key, kv);
    if (random.chance(0.5)) await sleep(random.below(REST_MS));
  }
  session.close();
}

interface Choice {
  readonly key: string;
  readonly keys: readonly string[];
  readonly prefix: string;
  readonly seen: ReadonlyMap<string, Kv>;
  readonly last: number;
  readonly value: string;
}

function choose({ random }: Session, { key, keys, prefix, seen, last, value }: Choice): RequestOpUnion {
  const dice = random.below(100);
  const text = random.chance(LARGE_SHARE) ? `${value} `.padEnd(LARGE_BYTES, ".") : value;
  if (dice < 30) return put(key, text, random.chance(0.3));
  if (dice < 50) return range(key);
  if (dice < 55) return range(prefix, { rangeEnd: endOf(prefix), limit: random.below(3) });
  if (dice < 65)
    return range(random.chance(0.5) ? key : WINDOW_PREFIX, { rangeEnd: utf8Bytes("w0"), serializable: true, limit: 5 });
  if (dice < 70 && last > 1) return range(key, { revision: Math.max(1, last - random.below(PAST_REVISIONS)) });
  if (dice < 77) return deletion(key, random.chance(0.5));
  if (dice < 78) return deletion(prefix, true, endOf(prefix));
  if (dice < 93) return compareAndPut(key, text, seen.get(key));
  return several(key, random.pick(keys), text);
}

/** Puts only what it believes to be there, and reads what is there instead. */
function compareAndPut(key: string, value: string, believed: Kv | undefined): RequestOpUnion {
  const compare =
    believed === undefined || believed.value.length > 100
      ? { target: CompareTarget.MOD, targetUnion: { kind: "modRevision", value: believed?.modRevision ?? 0 } as const }
      : { target: CompareTarget.VALUE, targetUnion: { kind: "value", value: fromByteString(believed.value) } as const };
  return {
    kind: "txn",
    value: TxnRequest.create({
      compare: [Compare.create({ key: utf8Bytes(key), result: CompareResult.EQUAL, ...compare })],
      success: [step(put(key, value, true))],
      failure: [step(range(key))],
    }),
  };
}

/** Reads, puts, and deletes another key, all at once and without a condition. */
function several(key: string, other: string, value: string): RequestOpUnion {
  const success = [step(range(other)), step(put(key, value, true))];
  if (other !== key) success.push(step(deletion(other, true)));
  return { kind: "txn", value: TxnRequest.create({ success }) };
}

export function put(key: string, value: string, prevKv = false, lease = 0n): RequestOpUnion {
  return { kind: "put", value: PutRequest.create({ key: utf8Bytes(key), value: utf8Bytes(value), prevKv, lease }) };
}

export function range(key: string, options: Partial<RangeRequest> = {}): RequestOpUnion {
  return { kind: "range", value: RangeRequest.create({ key: utf8Bytes(key), ...options }) };
}

function deletion(key: string, prevKv: boolean, rangeEnd: Uint8Array = new Uint8Array(0)): RequestOpUnion {
  return { kind: "deleteRange", value: DeleteRangeRequest.create({ key: utf8Bytes(key), rangeEnd, prevKv }) };
}

export function step(request: RequestOpUnion): RequestOp {
  return RequestOp.create({ request });
}

/** The end of the interval of all keys that begin with `prefix`. */
export function endOf(prefix: string): Uint8Array {
  const end = utf8Bytes(prefix).slice();
  end[end.length - 1] = (end[end.length - 1] as number) + 1;
  return end;
}

function revisionOf(end: End): number {
  return end.kind === "done" ? end.revision : 0;
}

function kvsOf(end: End): readonly Kv[] {
  return end.kind === "done" && end.result.kind === "range" ? end.result.kvs : [];
}
