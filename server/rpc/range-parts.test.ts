/** Long range answers, on both engines: whole, packed for who asks for it, and one cut off harms no other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { frame, onBothEngines, rawCall, rawSession, start, statusText } from "../../test/support/raw-grpc.ts";
import type { Overrides } from "../../test/support/rpc-server.ts";
import { utf8Bytes } from "../base/bytes.ts";
import { RangeRequest, RangeResponse } from "../proto/etcdserverpb.ts";
import { SERVICES } from "../proto/services.ts";
import type { Call } from "../services/call.ts";

const { kv } = SERVICES;
const LIST = frame(RangeRequest.encode(RangeRequest.create({ key: utf8Bytes("a"), rangeEnd: utf8Bytes("b") })));
const KEY_A = frame(RangeRequest.encode(RangeRequest.create({ key: utf8Bytes("a") })));

const LONG = RangeResponse.create({
  header: { clusterId: 1n, memberId: 2n, revision: 3, raftTerm: 4 },
  kvs: Array.from({ length: 3000 }, (_, index) => new Uint8Array(index % 2000).fill(index)),
  count: 3000,
  more: true,
});
const SHORT = RangeResponse.create({ count: 1 });
const LONG_BYTES = frame(RangeResponse.encode(LONG));

/** Answers to a range are long, those to a key short. */
function handlers(seen: Call[] = []): Overrides {
  return {
    kv: {
      range: (request: RangeRequest, call: Call) => {
        seen.push(call);
        return request.rangeEnd.length > 0 ? LONG : SHORT;
      },
    },
  };
}

onBothEngines("a long answer comes whole, beside short ones", async (t, engine) => {
  const { url, server } = await start(t, engine, { handlers: () => handlers() });
  const session = rawSession(t, url);
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all([
      ...Array.from({ length: 3 }, () => rawCall(session, kv.methods.range.path, LIST)),
      ...Array.from({ length: 20 }, () => rawCall(session, kv.methods.range.path, KEY_A)),
    ]);
    for (const [index, answer] of answers.entries()) {
      assert.equal(statusText(answer), "0 ");
      if (index < 3) assert.ok(answer.data.equals(LONG_BYTES));
    }
  }
  assert.equal(server.dispatcher.size, 0);
  assert.deepEqual(server.broken, []);
});

onBothEngines("a caller that packs gets it packed", async (t, engine) => {
  const { url } = await start(t, engine, { handlers: () => handlers() });
  const packed = { "grpc-encoding": "gzip", "grpc-accept-encoding": "gzip" };
  const { data } = await rawCall(rawSession(t, url), kv.methods.range.path, LIST, packed);
  const message = data[0] === 1 ? gunzipSync(data.subarray(5)) : data.subarray(5);
  assert.ok(message.equals(LONG_BYTES.subarray(5)));
});

test("a caller that leaves in the middle of a long answer harms no other, and what waits is told", async (t) => {
  const calls: Call[] = [];
  const { url, server } = await start(t, "own", { handlers: () => handlers(calls) });
  const session = rawSession(t, url);
  const stream = session.request({
    ":method": "POST",
    ":path": kv.methods.range.path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => undefined);
  stream.end(LIST);
  await new Promise((resolve) => stream.once("response", resolve));
  stream.pause(); // its window fills up
  const short = await rawCall(session, kv.methods.range.path, KEY_A);
  assert.equal(statusText(short), "0 ");
  const waiting = calls[0]?.unsentBytes ?? 0;
  assert.ok(waiting > 1_000_000 && waiting < LONG_BYTES.length, `${waiting} bytes wait`);
  assert.equal(calls[1]?.unsentOfAllBytes, waiting);
  stream.close(8);
  const long = await rawCall(session, kv.methods.range.path, LIST);
  assert.ok(long.data.equals(LONG_BYTES));
  assert.equal(calls[1]?.unsentOfAllBytes, 0);
  assert.deepEqual(server.broken, []);
});
