/**
 * How far this store has applied the log: index and term of the last entry whose effect it holds. Written into the
 * same batch as that effect, so that after a crash both are there or neither is; an entry at or below it is not
 * applied twice.
 */
import { utf8Bytes } from "../base/bytes.ts";
import { readUint64, writeUint64 } from "../base/int64.ts";
import type { Backend } from "../ports/backend.ts";

const INDEX_KEY = utf8Bytes("consistent_index");
const TERM_KEY = utf8Bytes("term");

export interface ConsistentIndex {
  readonly index: number;
  readonly term: number;
}

/** What the last commit holds; zeros in a new store. */
export function loadConsistentIndex(backend: Pick<Backend, "get">): ConsistentIndex {
  const read = (key: Uint8Array) => {
    const value = backend.get("meta", key);
    return value === undefined ? 0 : readUint64(value, 0);
  };
  return { index: read(INDEX_KEY), term: read(TERM_KEY) };
}

/** Puts it into the batch; the caller commits. */
export function storeConsistentIndex(backend: Pick<Backend, "put">, { index, term }: ConsistentIndex): void {
  backend.put("meta", INDEX_KEY, uint64Bytes(index));
  backend.put("meta", TERM_KEY, uint64Bytes(term));
}

function uint64Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  writeUint64(bytes, 0, value);
  return bytes;
}
