/** What every backend promises, as tests: run on LMDB and on its twin in memory, so that the simulator can be believed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromByteString, toByteString, utf8Bytes, utf8Text } from "../../server/base/bytes.ts";
import { Prng } from "../../server/base/prng.ts";
import { type Backend, BackendFull, type BackendReader } from "../../server/ports/backend.ts";
import { BUCKETS, type Bucket } from "../../server/ports/buckets.ts";

/** A place where one store lives, emptied by `remove`. */
export interface BackendPlace {
  open(options?: { readonly maxSizeBytes?: number }): Backend;
  /** The process that had `backend` open dies now, no commit being under way; answers what the next one opens. */
  crash(backend: Backend): Promise<Backend>;
  remove(): void;
}

export function backendContract(name: string, newPlace: () => BackendPlace): void {
  const promise = (what: string, body: (place: BackendPlace) => Promise<void>) =>
    test(`${name}: ${what}`, async () => {
      const place = newPlace();
      try {
        await body(place);
      } finally {
        place.remove();
      }
    });

  promise("an empty store has no records and no pending operations", async (place) => {
    const backend = place.open();
    for (const bucket of BUCKETS) {
      assert.equal(backend.get(bucket, utf8Bytes("a")), undefined);
      assert.deepEqual(rows(backend, bucket), []);
    }
    assert.equal(backend.pendingOperations(), 0);
    assert.equal(backend.openReadViews(), 0);
    await backend.commit();
    await backend.close();
  });

  promise("a write is read at once, during its commit and after it", async (place) => {
    const backend = place.open();
    const seen = () => [text(backend.get("key", utf8Bytes("a"))), rows(backend, "key").join(" ")];
    backend.put("key", utf8Bytes("a"), utf8Bytes("1"));
    backend.put("key", utf8Bytes("b"), utf8Bytes("2"));
    assert.deepEqual(seen(), ["1", "a=1 b=2"]);
    const first = backend.commit();
    assert.deepEqual(seen(), ["1", "a=1 b=2"]);
    backend.put("key", utf8Bytes("a"), utf8Bytes("3"));
    backend.delete("key", utf8Bytes("b"));
    const second = backend.commit();
    backend.put("key", utf8Bytes("c"), utf8Bytes("4"));
    assert.deepEqual(seen(), ["3", "a=3 c=4"]);
    await first;
    assert.deepEqual(seen(), ["3", "a=3 c=4"]);
    await second;
    assert.deepEqual(seen(), ["3", "a=3 c=4"]);
    assert.equal(backend.get("meta", utf8Bytes("a")), undefined);
    await backend.close();
  });

  promise(
    "a read view shows the last commit for as long as it is open, whatever is written and given back",
    async (place) => {
      const backend = place.open();
      for (let number = 1000; number < 2000; number++) backend.put("key", utf8Bytes(`k${number}`), utf8Bytes("old"));
      const long = new Uint8Array(3000).fill(65);
      backend.put("authUsers", long, utf8Bytes("long"));
      backend.put("authUsers", utf8Bytes("B"), utf8Bytes("short"));
      await backend.commit();
      backend.put("key", utf8Bytes("k1000"), utf8Bytes("not committed"));
      const view = backend.openReadView();
      assert.equal(backend.openReadViews(), 1);
      for (let number = 1000; number < 2000; number++) backend.put("key", utf8Bytes(`k${number}`), utf8Bytes("newer"));
      backend.delete("key", utf8Bytes("k1500"));
      await backend.commit();
      await backend.defragment();
      backend.put("key", utf8Bytes("k3000"), utf8Bytes("more"));
      await backend.commit();
      const values = new Set<string>();
      let rowsSeen = 0;
      let last: Uint8Array | undefined;
      for (let more = true; more; ) {
        more = false;
        let slice = 0;
        view.scanAbove("key", last, (key, value) => {
          values.add(utf8Text(value));
          last = key;
          rowsSeen++;
          more = true;
          return ++slice < 77;
        });
        await new Promise((resolve) => setTimeout(resolve)); // views outlive a turn of the loop
      }
      assert.deepEqual([rowsSeen, [...values]], [1000, ["old"]]);
      assert.equal(text(view.get("key", utf8Bytes("k1500"))), "old");
      assert.equal(text(view.get("authUsers", long)), "long");
      const sizes: number[] = [];
      view.scanSizesAbove("authUsers", undefined, (key, valueBytes) => void sizes.push(key.length, valueBytes));
      assert.deepEqual(sizes, [3000, 4, 1, 5]);
      view.scanSizesAbove("key", utf8Bytes("k1998"), (_key, valueBytes) => void sizes.push(valueBytes));
      assert.deepEqual(sizes.slice(4), [3]);
      assert.equal(text(backend.get("key", utf8Bytes("k1000"))), "newer");
      view.close();
      view.close();
      assert.equal(backend.openReadViews(), 0);
      assert.throws(() => view.get("key", utf8Bytes("k1000")), /a closed view is not read/);
      await backend.close();
    },
  );

  promise("a store that is closed closes its read views", async (place) => {
    const backend = place.open();
    backend.put("key", utf8Bytes("a"), utf8Bytes("1"));
    await backend.commit();
    const view = backend.openReadView();
    assert.equal(text(view.get("key", utf8Bytes("a"))), "1");
    await backend.close();
    assert.throws(() => view.get("key", utf8Bytes("a")), /a closed view is not read/);
  });

  promise("deleting what is not there does nothing", async (place) => {
    const backend = place.open();
    backend.delete("key", utf8Bytes("a"));
    await backend.commit();
    backend.put("key", utf8Bytes("a"), utf8Bytes("1"));
    backend.delete("key", utf8Bytes("a"));
    assert.equal(backend.get("key", utf8Bytes("a")), undefined);
    await backend.commit();
    assert.deepEqual(rows(backend, "key"), []);
    await backend.close();
  });

  promise(
    "pendingOperations and pendingBytes count what was written since the last commit was called",
    async (place) => {
      const backend = place.open();
      backend.put("key", utf8Bytes("a"), utf8Bytes("1"));
      backend.put("key", utf8Bytes("a"), utf8Bytes("2"));
      backend.put("meta", utf8Bytes("a"), utf8Bytes("2"));
      backend.delete("key", utf8Bytes("b"));
      assert.equal(backend.pendingOperations(), 3);
      backend.put("key", utf8Bytes("a"), new Uint8Array(5000));
      assert.ok(backend.pendingBytes() > 5000);
      const commit = backend.commit();
      assert.equal(backend.pendingOperations(), 0);
      assert.equal(backend.pendingBytes(), 0);
      await commit;
      assert.equal(backend.pendingOperations(), 0);
      await backend.close();
    },
  );

  promise("recordCount is what a scan finds, and unknown while anything is not durable", async (place) => {
    const backend = place.open();
    assert.equal(backend.recordCount("key"), 0);
    for (let number = 0; number < 300; number++) backend.put("key", utf8Bytes(`k${number}`), utf8Bytes("x"));
    backend.put("meta", utf8Bytes("m"), utf8Bytes("x"));
    assert.equal(backend.recordCount("key"), undefined);
    const commit = backend.commit();
    assert.equal(backend.recordCount("key"), undefined);
    await commit;
    assert.equal(backend.recordCount("key"), 300);
    assert.equal(backend.recordCount("meta"), 1);
    for (let number = 0; number < 300; number += 2) backend.delete("key", utf8Bytes(`k${number}`));
    await backend.commit();
    const reopened = await place.crash(backend);
    assert.equal(reopened.recordCount("key"), 150);
    assert.equal(rows(reopened, "key").length, 150);
    await reopened.close();
  });

  promise("commits resolve in the order in which they were called", async (place) => {
    const backend = place.open();
    const order: number[] = [];
    const commits = [0, 1, 2, 3, 4].map((number) => {
      if (number !== 3) backend.put("key", utf8Bytes(`k${number}`), utf8Bytes("x"));
      return backend.commit().then(() => order.push(number));
    });
    await Promise.all(commits);
    assert.deepEqual(order, [0, 1, 2, 3, 4]);
    await backend.close();
  });

  promise("a commit without new writes resolves only when the one under way has", async (place) => {
    const backend = place.open();
    backend.put("key", utf8Bytes("a"), utf8Bytes("1"));
    void backend.commit();
    await backend.commit();
    const reopened = await place.crash(backend);
    assert.equal(text(reopened.get("key", utf8Bytes("a"))), "1");
    await reopened.close();
  });

  promise("a crash goes back to the last commit, never to the middle of one", async (place) => {
    let backend = place.open();
    const random = new Prng(11);
    let durable = new Map<string, string>();
    const current = new Map<string, string>();
    for (let round = 0; round < 12; round++) {
      for (let step = 0; step < 40; step++) writeSomething(backend, current, random);
      if (round % 3 !== 2) {
        await backend.commit();
        durable = new Map(current);
        for (let step = 0; step < 5; step++) writeSomething(backend, current, random);
      }
      backend = await place.crash(backend);
      current.clear();
      for (const [key, value] of durable) current.set(key, value);
      assert.deepEqual(rows(backend, "key"), listOf(current));
    }
    await backend.close();
  });

  promise("writes after the call of commit are not in it", async (place) => {
    const backend = place.open();
    backend.put("key", utf8Bytes("a"), utf8Bytes("1"));
    const commit = backend.commit();
    backend.put("key", utf8Bytes("b"), utf8Bytes("2"));
    backend.put("key", utf8Bytes("a"), utf8Bytes("9"));
    await commit;
    const reopened = await place.crash(backend);
    assert.deepEqual(rows(reopened, "key"), ["a=1"]);
    await reopened.close();
  });

  promise("close keeps what was committed and drops the rest", async (place) => {
    const backend = place.open();
    backend.put("lease", utf8Bytes("a"), utf8Bytes("1"));
    const commit = backend.commit();
    backend.put("lease", utf8Bytes("b"), utf8Bytes("2"));
    const waiting = backend.commit();
    backend.put("lease", utf8Bytes("c"), utf8Bytes("3"));
    await backend.close();
    await Promise.all([commit, waiting]);
    const reopened = await place.crash(backend);
    assert.deepEqual(rows(reopened, "lease"), ["a=1", "b=2"]);
    await reopened.close();
  });

  promise("a scan is in the order of bytes, starts at from, ends before to, and can be stopped", async (place) => {
    const backend = place.open();
    const keys = ["\x00", "\x00\x00", "\x01", "a", "a\x00", "a\xff", "b", "\xfe", "\xff", "\xff\xff"];
    for (const [at, key] of keys.entries()) {
      backend.put("key", fromByteString(key), utf8Bytes(String(at)));
      if (at % 3 === 1) await backend.commit();
    }
    assert.deepEqual(names(backend, "key", "", undefined), keys);
    assert.deepEqual(names(backend, "key", "a", "b"), ["a", "a\x00", "a\xff"]);
    assert.deepEqual(names(backend, "key", "a\x00", undefined), keys.slice(4));
    assert.deepEqual(names(backend, "key", "b", "a"), []);
    assert.deepEqual(names(backend, "key", "a", "a"), []);
    assert.deepEqual(names(backend, "key", "c", "\xfe"), []);
    const first: string[] = [];
    backend.scan("key", fromByteString("a"), undefined, (key) => {
      first.push(toByteString(key));
      return first.length < 2;
    });
    assert.deepEqual(first, ["a", "a\x00"]);
    await backend.close();
  });

  promise("a write during a scan is refused", async (place) => {
    const backend = place.open();
    backend.put("key", utf8Bytes("a"), utf8Bytes("1"));
    assert.throws(
      () =>
        backend.scan("key", utf8Bytes("a"), undefined, () => {
          backend.delete("key", utf8Bytes("a"));
          return true;
        }),
      /during a scan/,
    );
    backend.delete("key", utf8Bytes("a"));
    assert.deepEqual(rows(backend, "key"), []);
    await backend.close();
  });

  promise("bytes of every kind come back as they were, and those handed out are the caller's", async (place) => {
    let backend = place.open();
    const random = new Prng(5);
    const values = [0, 1, 7, 8, 100, 4000, 4096, 40_000, 70_000, 1_600_000].map((length) => random.bytes(length));
    for (const [at, value] of values.entries()) backend.put("key", utf8Bytes(`k${at}`), value);
    await backend.commit();
    backend = await place.crash(backend);
    const read = values.map((_, at) => backend.get("key", utf8Bytes(`k${at}`)));
    const scanned: Uint8Array[] = [];
    backend.scan("key", utf8Bytes("k"), undefined, (_, value) => {
      scanned.push(value);
      return true;
    });
    for (const [at, value] of values.entries()) {
      assert.deepEqual(Buffer.from(read[at] as Uint8Array), Buffer.from(value));
      assert.deepEqual(Buffer.from(scanned[at] as Uint8Array), Buffer.from(value));
    }
    await backend.close();
  });

  promise("keys may be longer than a page, and stay in order", async (place) => {
    let backend = place.open();
    const stem = "n".repeat(1023);
    const keys = [stem, `${stem}n`, `${stem}na`, `${stem}nb`, `${stem}n${"x".repeat(30_000)}`, `${stem}o`];
    keys.push(
      `${stem}nab`,
      `${stem}nb${"z".repeat(5000)}`,
      "n".repeat(1040),
      `${"n".repeat(1024)}${"\xff".repeat(40)}`,
    );
    keys.sort();
    for (const [at, key] of [...keys.entries()].reverse()) {
      backend.put("authUsers", fromByteString(key), utf8Bytes(String(at)));
      if (at % 4 === 0) await backend.commit();
    }
    await backend.commit();
    for (const round of ["as written", "after a crash"]) {
      assert.deepEqual(names(backend, "authUsers", "", undefined), keys, round);
      assert.deepEqual(names(backend, "authUsers", keys[2] as string, keys[5] as string), keys.slice(2, 5), round);
      assert.deepEqual(names(backend, "authUsers", keys[3] as string, undefined), keys.slice(3), round);
      for (const [at, key] of keys.entries())
        assert.equal(text(backend.get("authUsers", fromByteString(key))), `${at}`);
      assert.equal(backend.get("authUsers", fromByteString(`${keys[5]}?`)), undefined);
      backend = await place.crash(backend);
    }
    backend.delete("authUsers", fromByteString(keys[4] as string));
    backend.put("authUsers", fromByteString(keys[3] as string), utf8Bytes("new"));
    const expected = keys.filter((_, at) => at !== 4);
    assert.deepEqual(names(backend, "authUsers", "", undefined), expected);
    await backend.commit();
    backend = await place.crash(backend);
    assert.deepEqual(names(backend, "authUsers", "", undefined), expected);
    assert.equal(text(backend.get("authUsers", fromByteString(keys[3] as string))), "new");
    await backend.close();
  });

  promise("random writes, commits, crashes and reads agree with a plain map", async (place) => {
    let backend = place.open();
    const random = new Prng(20_26);
    const current = new Map<string, string>();
    let durable = new Map<string, string>();
    const commits: Promise<void>[] = [];
    for (let step = 0; step < 4000; step++) {
      const dice = random.below(1000);
      if (dice < 700) writeSomething(backend, current, random);
      else if (dice < 850) {
        const key = someKey(random);
        assert.equal(text(backend.get("key", utf8Bytes(key))), current.get(key));
      } else if (dice < 940) {
        const [from, to] = [someKey(random), random.chance(0.2) ? undefined : someKey(random)];
        const expected = listOf(current).filter((row) => {
          const key = row.split("=")[0] as string;
          return key >= from && (to === undefined || key < to);
        });
        assert.deepEqual(rows(backend, "key", from, to), expected);
      } else if (dice < 990) {
        const state = new Map(current);
        commits.push(
          backend.commit().then(() => {
            durable = state;
          }),
        );
        if (random.chance(0.3)) await Promise.all(commits.splice(0));
      } else {
        await Promise.all(commits.splice(0));
        backend = await place.crash(backend);
        current.clear();
        for (const [key, value] of durable) current.set(key, value);
      }
    }
    await Promise.all(commits);
    assert.deepEqual(rows(backend, "key"), listOf(current));
    await backend.close();
  });

  promise("sizes grow with what is written, and in-use falls when it is deleted", async (place) => {
    const backend = place.open();
    const empty = backend.sizeInUseBytes();
    for (let at = 0; at < 500; at++) backend.put("key", utf8Bytes(`k${at}`), new Uint8Array(1000));
    assert.ok(backend.sizeInUseBytes() >= empty + 500_000, "the batch counts");
    await backend.commit();
    const full = backend.sizeInUseBytes();
    assert.ok(full >= 500_000 && backend.sizeBytes() >= 500_000);
    for (let at = 0; at < 500; at++) backend.delete("key", utf8Bytes(`k${at}`));
    await backend.commit();
    assert.ok(backend.sizeInUseBytes() < full / 4, `${backend.sizeInUseBytes()} of ${full}`);
    await backend.close();
  });

  promise(
    "a full store refuses puts with BackendFull, keeps what it has, and lets deletes make room",
    async (place) => {
      const backend = place.open({ maxSizeBytes: 1_000_000 });
      let written = 0;
      let refused: unknown;
      while (refused === undefined && written < 400) {
        for (let at = 0; at < 10; at++) backend.put("key", utf8Bytes(`k${written++}`), new Uint8Array(10_000));
        await backend.commit().catch((error: unknown) => {
          refused = error;
        });
      }
      assert.ok(refused instanceof BackendFull, String(refused));
      assert.ok(written > 50 && written < 200, `${written}`);
      await assert.rejects(backend.commit(), BackendFull);
      assert.equal(rows(backend, "key").length, written, "nothing is lost meanwhile");
      for (let at = 0; at < written; at++) backend.delete("key", utf8Bytes(`k${at}`));
      backend.put("meta", utf8Bytes("consistent_index"), utf8Bytes("1"));
      await backend.commit();
      backend.put("key", utf8Bytes("again"), new Uint8Array(10_000));
      await backend.commit();
      const reopened = await place.crash(backend);
      assert.deepEqual(names(reopened, "key", "", undefined), ["again"]);
      await reopened.close();
    },
  );

  promise("defragment changes nothing that can be read, with writes and commits going on", async (place) => {
    let backend = place.open();
    const random = new Prng(77);
    const current = new Map<string, string>();
    for (let at = 0; at < 3000; at++) writeSomething(backend, current, random);
    await backend.commit();
    const done = { now: false };
    const defragmented = Promise.all([backend.defragment(), backend.defragment()]).then(() => {
      done.now = true;
    });
    for (let turn = 0; turn < 5 || !done.now; turn++) {
      for (let at = 0; at < 20; at++) writeSomething(backend, current, random);
      const commit = backend.commit();
      assert.deepEqual(rows(backend, "key"), listOf(current));
      if (turn % 2 === 0) await commit;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await defragmented;
    assert.deepEqual(rows(backend, "key"), listOf(current));
    for (let at = 0; at < 20; at++) writeSomething(backend, current, random);
    await backend.commit();
    backend = await place.crash(backend);
    assert.deepEqual(rows(backend, "key"), listOf(current));
    await backend.close();
  });

  promise("a replacement is filled beside the store and takes its place at once, also for a crash", async (place) => {
    let backend = place.open();
    backend.put("key", utf8Bytes("old"), utf8Bytes("1"));
    backend.put("meta", utf8Bytes("only old"), utf8Bytes("1"));
    await backend.commit();
    const view = backend.openReadView();
    const next = await backend.beginReplacement();
    next.put("key", utf8Bytes("new"), utf8Bytes("1"));
    assert.equal(next.pendingOperations(), 1);
    await next.commit();
    assert.deepEqual(rows(next, "key"), ["new=1"]);
    assert.equal(next.recordCount("key"), 1);
    next.put("key", utf8Bytes("newer"), utf8Bytes("2"));
    await next.commit();
    assert.deepEqual(rows(next, "key", "newe", "newz"), ["newer=2"]);
    assert.equal(next.recordCount("key"), 2);
    const lent: string[] = [];
    next.scanLent(
      "key",
      utf8Bytes("a"),
      undefined,
      (key, record, from, to) => lent.push(`${utf8Text(key)}=${utf8Text(record.slice(from, to))}`) < 1,
    );
    assert.deepEqual(lent, ["new=1"], "until the visitor has enough");
    assert.equal(text(next.get("key", utf8Bytes("newer"))), "2");
    assert.equal(next.get("key", utf8Bytes("old")), undefined);
    backend.put("key", utf8Bytes("old"), utf8Bytes("2"));
    await backend.commit();
    assert.deepEqual(rows(backend, "key"), ["old=2"], "the store goes on");
    backend.put("key", utf8Bytes("never durable"), utf8Bytes("3"));
    await next.prepare();
    const waiting = backend.commit();
    next.takePlace();
    await waiting;
    assert.deepEqual(rows(backend, "key"), ["new=1", "newer=2"]);
    assert.deepEqual(rows(backend, "meta"), []);
    assert.equal(text(view.get("key", utf8Bytes("old"))), "1");
    view.close();
    await next.discard();
    backend.put("key", utf8Bytes("newest"), utf8Bytes("3"));
    backend.put("key", utf8Bytes("new"), utf8Bytes("3"));
    await backend.commit();
    backend = await place.crash(backend);
    assert.deepEqual(rows(backend, "key"), ["new=3", "newer=2", "newest=3"]);
    await backend.close();
  });

  promise("a replacement that was given up, or that a crash met, leaves the store as it is", async (place) => {
    let backend = place.open();
    backend.put("key", utf8Bytes("old"), utf8Bytes("1"));
    await backend.commit();
    const first = await backend.beginReplacement();
    first.put("key", utf8Bytes("new"), utf8Bytes("1"));
    await first.commit();
    await first.prepare();
    const waiting = backend.commit();
    await first.discard();
    await waiting;
    backend.put("key", utf8Bytes("old"), utf8Bytes("2"));
    await backend.commit();
    await backend.defragment();
    const second = await backend.beginReplacement();
    second.put("key", utf8Bytes("new"), utf8Bytes("2"));
    await second.commit();
    backend = await place.crash(backend);
    assert.deepEqual(rows(backend, "key"), ["old=2"]);
    const third = await backend.beginReplacement();
    await third.prepare();
    third.takePlace();
    assert.deepEqual(rows(backend, "key"), []);
    await backend.close();
  });
}

function writeSomething(backend: Backend, model: Map<string, string>, random: Prng): void {
  const key = someKey(random);
  if (random.chance(0.3)) {
    backend.delete("key", utf8Bytes(key));
    model.delete(key);
  } else {
    const value = "v".repeat(random.below(60)) + String(random.below(1000));
    backend.put("key", utf8Bytes(key), utf8Bytes(value));
    model.set(key, value);
  }
}

function someKey(random: Prng): string {
  return `k${random.below(200)}`;
}

function listOf(model: ReadonlyMap<string, string>): string[] {
  return [...model].sort(([left], [right]) => (left < right ? -1 : 1)).map(([key, value]) => `${key}=${value}`);
}

function rows(backend: BackendReader, bucket: Bucket, from = "", to?: string): string[] {
  const found: string[] = [];
  backend.scan(bucket, utf8Bytes(from), to === undefined ? undefined : utf8Bytes(to), (key, value) => {
    found.push(`${utf8Text(key)}=${utf8Text(value)}`);
    return true;
  });
  return found;
}

function names(backend: Backend, bucket: Bucket, from: string, to: string | undefined): string[] {
  const found: string[] = [];
  backend.scan(bucket, fromByteString(from), to === undefined ? undefined : fromByteString(to), (key) => {
    found.push(toByteString(key));
    return true;
  });
  return found;
}

function text(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : utf8Text(value);
}
