import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../../test/simulation/world/backend.ts";
import { concatBytes, utf8Bytes, utf8Text } from "../base/bytes.ts";
import { BoltFile } from "../bolt/reader.ts";
import { BUCKETS } from "../ports/buckets.ts";
import { StoreSnapshot } from "./store-snapshot.ts";

function fileOf(snapshot: StoreSnapshot): Uint8Array {
  while (!snapshot.measure());
  const pieces: Uint8Array[] = [];
  for (let piece = snapshot.next(); piece !== undefined; piece = snapshot.next()) {
    assert.ok(piece.length <= 32 * 1024);
    pieces.push(piece);
  }
  const bytes = concatBytes(pieces);
  assert.equal(bytes.length, snapshot.sizeBytes);
  return bytes;
}

function rowsOf(bytes: Uint8Array): Map<string, string[]> {
  const read = (position: number, length: number) => bytes.subarray(position, position + length);
  const walk = BoltFile.open({ sizeBytes: bytes.length, read }).walk();
  const rows = new Map<string, string[]>();
  for (const bucket of walk.buckets) {
    rows.set(
      utf8Text(bucket.name),
      [...walk.rows(bucket)].map(({ key, value }) => `${utf8Text(key)}=${value.length}`),
    );
  }
  walk.finish();
  return rows;
}

test("a snapshot holds every bucket of etcd's as the last commit left it, whatever is written meanwhile", async () => {
  const backend = new MemoryBackend();
  const expected = Array.from({ length: 2000 }, (_, at) => `k${10_000 + at}=${at % 700}`);
  for (const line of expected) {
    const [key = "", length = ""] = line.split("=");
    backend.put("key", utf8Bytes(key), new Uint8Array(Number(length)));
  }
  backend.put("meta", utf8Bytes("storageVersion"), utf8Bytes("3.7.0"));
  await backend.commit();
  const snapshot = new StoreSnapshot(backend.openReadView());
  assert.equal(snapshot.version, "3.7.0");
  snapshot.measure();
  backend.put("key", utf8Bytes("k10001"), new Uint8Array(9000));
  backend.delete("key", utf8Bytes("k10002"));
  await backend.commit();
  const rows = rowsOf(fileOf(snapshot));
  assert.deepEqual([...rows.keys()], BUCKETS);
  assert.deepEqual(rows.get("key"), expected);
  assert.deepEqual(rows.get("meta"), ["storageVersion=5"]);
  snapshot.close();
  assert.equal(backend.openReadViews(), 0);
});

test("a name that etcd's file cannot hold is a refusal to the client, not the end of the server", async () => {
  const backend = new MemoryBackend();
  backend.put("authUsers", new Uint8Array(40_000).fill(65), utf8Bytes("user"));
  await backend.commit();
  const snapshot = new StoreSnapshot(backend.openReadView());
  assert.throws(() => fileOf(snapshot), { name: "EtcdError", message: /authUsers.+a key of 40000 bytes/ });
  snapshot.close();
});
