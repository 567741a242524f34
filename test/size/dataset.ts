/** The keys of the size runs: names of 60 bytes in a scattered order, so that the index grows in all places at once. */
import { utf8Bytes } from "../../server/base/bytes.ts";
import type { Client } from "../../server/client/client.ts";
import { PutRequest, RequestOp } from "../../server/proto/etcdserverpb.ts";
import { SERVICES } from "../../server/proto/services.ts";

export const PREFIX = "/registry/size/";
const KEY_BYTES = 60;
const VALUE_BYTES = 256;
/** etcd's own bound for a transaction. */
const TXN_PUTS = 128;
const IN_FLIGHT = 8;
/** Any number that shares no factor with a count of keys scatters them. */
const STRIDE = 7_368_787;

/** Name of key `number`. */
export function keyOf(number: number): Uint8Array {
  const head = `${PREFIX}namespace-${String(number % 97).padStart(3, "0")}/`;
  return utf8Bytes(`${head}${String(number).padStart(KEY_BYTES - head.length, "0")}`);
}

/** Puts `count` keys by full transactions; `seen` hears how many there are. */
export async function loadKeys(client: Client, count: number, seen: (done: number) => void): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const from = next;
      next = Math.min(count, from + TXN_PUTS);
      const success = Array.from({ length: next - from }, (_, at) => put(scattered(from + at, count)));
      await client.unary(SERVICES.kv.methods.txn, { success });
      seen(next);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}

function scattered(at: number, count: number): number {
  return (at * STRIDE) % count;
}

function put(number: number): RequestOp {
  const value = PutRequest.create({ key: keyOf(number), value: new Uint8Array(VALUE_BYTES).fill(number % 256) });
  return RequestOp.create({ request: { kind: "put", value } });
}
