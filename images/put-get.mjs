/**
 * What `helm test` runs: writes a key through the address that clients are given, reads it back, and removes it. Tries
 * again while the cluster is being made; exit code 0 once it has seen its own value.
 *
 *     kvorum-put-get URL [SECONDS]
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "./dist/server/client/client.js";
import { KeyValue } from "./dist/server/proto/mvccpb.js";
import { SERVICES } from "./dist/server/proto/services.js";

const [url, seconds = "120"] = process.argv.slice(2);
if (url === undefined || !(Number(seconds) > 0)) {
  process.stderr.write("usage: kvorum-put-get URL [SECONDS]\n");
  process.exit(2);
}

const LIMIT = { timeoutMs: 5000 };
const { put, range, deleteRange } = SERVICES.kv.methods;
const key = new TextEncoder().encode(`kvorum-operator-test/${randomUUID()}`);
const value = new TextEncoder().encode(randomUUID());
const deadline = performance.now() + Number(seconds) * 1000;

let problem = await attempt();
while (problem !== undefined && performance.now() < deadline) {
  await sleep(1000);
  problem = await attempt();
}
process.stdout.write(problem === undefined ? `wrote and read a key at ${url}\n` : `${url}: ${problem}\n`);
process.exit(problem === undefined ? 0 : 1);

/** What is wrong, or nothing. */
async function attempt() {
  const client = connect(url);
  try {
    await client.unary(put, { key, value }, LIMIT);
    const { kvs } = await client.unary(range, { key }, LIMIT);
    await client.unary(deleteRange, { key }, LIMIT);
    if (kvs[0] === undefined) return "a key that was written is not there";
    const found = KeyValue.decode(kvs[0]).value;
    return Buffer.compare(found, value) === 0 ? undefined : "another value came back than was written";
  } catch (error) {
    return error.message;
  } finally {
    client.close();
  }
}
