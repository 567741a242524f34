import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../../test/simulation/world/backend.ts";
import { openState } from "../../test/support/apply-state.ts";
import { AssertionFailure } from "../base/assert.ts";
import { utf8Bytes } from "../base/bytes.ts";
import { idBytes } from "../base/int64.ts";
import { Lessor } from "../lease/lessor.ts";
import { revisionKey } from "../mvcc/revision.ts";
import { Lease } from "../proto/leasepb.ts";
import { KeyValue } from "../proto/mvccpb.ts";
import { type ReadState, readStateSteps } from "./read-state.ts";

const KEYS = 9000;
const LEASES = 1500;

/** Another store: keys that hang on leases by turns, as etcd's files have them. */
async function filled(): Promise<MemoryBackend> {
  const backend = new MemoryBackend();
  for (let lease = 1; lease <= LEASES; lease++) {
    const id = BigInt(lease);
    backend.put("lease", idBytes(id), Lease.encode({ id, ttl: 60, remainingTtl: 0 }));
  }
  for (let n = 0; n < KEYS; n++) {
    const main = n + 2;
    const kv = KeyValue.create({
      key: utf8Bytes(`key ${n}`),
      value: utf8Bytes("v"),
      createRevision: main,
      modRevision: main,
      version: 1,
      lease: BigInt(1 + (n % LEASES)),
    });
    backend.put("key", revisionKey(main, 0), KeyValue.encode(kv));
  }
  await backend.commit();
  return backend;
}

/** Reads `reader` to its end, beside a store that is in use; how many steps that took. */
function read(reader: MemoryBackend): { state: ReadState; steps: number } {
  const { backend } = openState();
  const options = { reader, backend, hashSeed: 1, lessor: new Lessor({ minTtlSeconds: 2 }) };
  const reading = readStateSteps(options);
  for (let steps = 1; ; steps++) {
    const step = reading.next();
    if (step.done === true) return { state: step.value, steps };
  }
}

test("keys, leases and what hangs on them are read in small steps, and the present state is not touched", async () => {
  const { state, steps } = read(await filled());
  assert.equal(state.contents.index.alive, KEYS);
  assert.equal(state.contents.currentRevision, KEYS + 1);
  assert.equal(state.lessor.size, LEASES);
  assert.equal(state.lessor.leaseOf("key 8"), 9n);
  assert.equal(state.lessor.keysOf(1n).length, KEYS / LEASES);
  assert.ok(steps > 25, `${steps} steps`);
});

test("what is not as etcd stores it is named, whichever bucket it is in", async () => {
  const version = KeyValue.encode(KeyValue.create({ key: utf8Bytes("k"), modRevision: 9, version: 1 }));
  for (const [bucket, key, value, found] of [
    ["key", revisionKey(KEYS + 3, 0), version, /records between revision 9001.0 and 9003.0 are missing/],
    ["key", revisionKey(KEYS + 2, 0), version, /the record of revision 9002.0 in bucket "key" holds one of revision 9/],
    ["key", utf8Bytes("no revision"), version, /is no revision/],
    ["lease", idBytes(0n), Lease.encode({ id: 0n, ttl: 60, remainingTtl: 0 }), /in bucket "lease" is no lease's id/],
    ["members", utf8Bytes("1"), utf8Bytes('{"id":'), /a record in bucket "members" is damaged/],
    ["alarm", Uint8Array.of(0xff), utf8Bytes(""), /a record in bucket "alarm" is damaged/],
    ["key", revisionKey(0, 5), version, /the record of revision 0.5 in bucket "key" follows 0.-1/],
    [
      "meta",
      utf8Bytes("finishedCompactRev"),
      utf8Bytes("soon"),
      /the mark of a compaction in bucket "meta" is no revision/,
    ],
  ] as const) {
    const backend = await filled();
    backend.put(bucket, key, value);
    await backend.commit();
    assert.throws(() => read(backend), { name: "CorruptRecord", message: found });
  }
});

test("a put and a deletion of one compacted revision are damage", async () => {
  const backend = await filled();
  backend.put("meta", utf8Bytes("finishedCompactRev"), revisionKey(KEYS, 0));
  backend.put("key", revisionKey(5, 0, true), KeyValue.encode(KeyValue.create({ key: utf8Bytes("key 3") })));
  await backend.commit();
  assert.throws(() => read(backend), { name: "CorruptRecord", message: /revision 5.0 in bucket "key" follows 5.0/ });
});

test("a broken promise of our own is no damage, whichever bucket is read", async () => {
  for (const broken of ["members", "alarm", "lease"]) {
    const backend = await filled();
    const scan = backend.scan.bind(backend);
    backend.scan = (bucket, ...rest) => {
      if (bucket === broken) throw new AssertionFailure("one and one are three");
      return scan(bucket, ...rest);
    };
    assert.throws(() => read(backend), { name: "AssertionFailure", message: "one and one are three" });
  }
});
