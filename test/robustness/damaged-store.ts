/**
 * A process that reads damaged copies of a store, one bit flipped in each, as a starting server would; where all seems
 * right it goes on writing and looks again. It says how each copy ended. A page that leads LMDB astray may well kill it:
 * its parent then goes on with the next copy.
 *
 *   node damaged-store build FOLDER SEED              the store that is damaged later
 *   node damaged-store read FOLDER SEED FIRST END     copies FIRST to END-1 of it, one line each: number, verdict, place
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConsistentIndex, storeConsistentIndex } from "../../server/apply/consistent-index.ts";
import { EMPTY_BYTES, utf8Bytes } from "../../server/base/bytes.ts";
import { WorldError } from "../../server/base/error.ts";
import { Prng } from "../../server/base/prng.ts";
import { Store } from "../../server/mvcc/store.ts";
import { type Backend, CorruptRecord } from "../../server/ports/backend.ts";
import { LmdbBackend } from "../../server/storage/lmdb-backend.ts";
import { MemoryBackend } from "../simulation/world/backend.ts";

const KEYS = 50;
const COMMITS = 12;
const COMMITS_MORE = 4;
const REVISIONS_PER_COMMIT = 60;
const COMPACT_AT = 8 * REVISIONS_PER_COMMIT;
const SAMPLES = 12;
const PAGE_BYTES = 4096;
/** Where a page says what is in it: its header and the places of its records. */
const STRUCTURE_BYTES = 80;
const STORE_FILE = "kvorum.mdb";
const TO_END = Uint8Array.of(0);

/** A store with the backend that it lies in. */
class Subject {
  readonly backend: Backend;
  readonly store: Store;
  /** Of the last entry "applied". */
  index: number;

  constructor(backend: Backend) {
    this.backend = backend;
    this.store = new Store(backend);
    for (const _ of this.store.restore());
    this.index = loadConsistentIndex(backend).index;
  }

  /** Changes everything as entries would, and notes the last of them in the same commit. */
  async work(commits: number, random: Prng): Promise<void> {
    for (let commit = 0; commit < commits; commit++) {
      for (let revision = 0; revision < REVISIONS_PER_COMMIT; revision++) this.#change(random);
      if (this.index === COMPACT_AT) {
        const compaction = this.store.scheduleCompaction(Math.floor(this.store.currentRevision / 2));
        while (!compaction.step(1000));
      }
      storeConsistentIndex(this.backend, { index: this.index, term: 2 });
      await this.backend.commit();
    }
  }

  #change(random: Prng): void {
    const write = this.store.beginWrite();
    write.put(utf8Bytes("always"), utf8Bytes(`${this.index}`), 0n);
    for (let more = random.below(3); more > 0; more--) {
      const key = utf8Bytes(`key-${random.below(KEYS)}`);
      if (random.chance(0.2)) write.deleteRange(key, EMPTY_BYTES);
      else write.put(key, random.bytes(random.chance(0.1) ? random.below(9000) : random.below(300)), 0n);
    }
    write.end();
    this.index++;
    this.backend.put("lease", utf8Bytes(`lease-${random.below(20)}`), random.bytes(20));
  }
}

const [, , task, folder = "", seedText, first, end] = process.argv;
const seed = Number(seedText);
if (task === "build") await build();
else await readCopies(Number(first), Number(end));

async function build(): Promise<void> {
  const backend = LmdbBackend.open(join(folder, "store"));
  await new Subject(backend).work(COMMITS, new Prng(seed));
  await backend.close();
}

async function readCopies(from: number, to: number): Promise<void> {
  const image = readFileSync(join(folder, "store", STORE_FILE));
  const expected = await twin(COMMITS);
  const before = await twin(COMMITS - 1);
  for (let number = from; number < to; number++) {
    const random = new Prng(seed * 100_000 + number);
    const copy = mkdtempSync(join(folder, "copy-"));
    const { damaged, at } = damage(image, random);
    writeFileSync(join(copy, STORE_FILE), damaged);
    let verdict = await judge(copy, async (backend) => {
      const subject = new Subject(backend);
      const isBefore = subject.index === before.index;
      compare(isBefore ? before : expected, subject, random);
      return isBefore ? "right, as of the commit before" : "right";
    });
    if (verdict === "right") verdict = await judge(copy, goOn);
    if (verdict === "right") verdict = await judge(copy, (backend) => lookAgain(backend, random));
    process.stdout.write(`${number} ${verdict} at ${at}\n`);
    rmSync(join(copy, STORE_FILE)); // LMDB may not have let go of the rest
  }
}

async function twin(commits: number): Promise<Subject> {
  const subject = new Subject(new MemoryBackend());
  await subject.work(commits, new Prng(seed));
  return subject;
}

/** Half of the flips anywhere, half where pages say what is in them. */
function damage(image: Uint8Array, random: Prng): { damaged: Uint8Array; at: number } {
  const damaged = Uint8Array.from(image);
  const page = random.below(image.length / PAGE_BYTES) * PAGE_BYTES;
  const at = random.chance(0.5) ? random.below(image.length) : page + random.below(STRUCTURE_BYTES);
  damaged[at] = (damaged[at] as number) ^ (1 << random.below(8));
  return { damaged, at };
}

/** Opens the copy for one look; what is thrown becomes the verdict. */
async function judge(copy: string, look: (backend: LmdbBackend) => Promise<string>): Promise<string> {
  let backend: LmdbBackend | undefined;
  try {
    backend = LmdbBackend.open(copy);
    return await look(backend);
  } catch (error) {
    if (error instanceof CorruptRecord) return "record refused";
    if (error instanceof WorldError) return "file refused";
    return `WRONG ${String(error).split("\n").slice(0, 4).join(" ")}`;
  } finally {
    await backend?.close();
  }
}

/** What the flip did to LMDB's list of free pages shows when these are used. */
async function goOn(backend: LmdbBackend): Promise<string> {
  await new Subject(backend).work(COMMITS_MORE, new Prng(seed + 1));
  return "right";
}

async function lookAgain(backend: LmdbBackend, random: Prng): Promise<string> {
  const expected = await twin(COMMITS);
  await expected.work(COMMITS_MORE, new Prng(seed + 1));
  compare(expected, new Subject(backend), random);
  return "right";
}

/** Throws when `actual` answers anything else than `expected` does. */
function compare(expected: Subject, actual: Subject, random: Prng): void {
  const { store } = expected;
  assert.equal(actual.index, expected.index, "applied index");
  assert.equal(actual.store.currentRevision, store.currentRevision, "current revision");
  assert.equal(actual.store.compactRevision, store.compactRevision, "compacted revision");
  const first = Math.max(store.compactRevision, 1);
  const span = store.currentRevision - first + 1;
  const revisions = Array.from({ length: SAMPLES }, () => first + random.below(span));
  for (const revision of [0, first, ...revisions]) sameRange(expected, actual, TO_END, TO_END, revision);
  for (let key = 0; key < KEYS; key++) {
    sameRange(expected, actual, utf8Bytes(`key-${key}`), EMPTY_BYTES, first + random.below(span));
  }
  assert.deepEqual(changes(actual.store, first, span), changes(store, first, span), "events");
  assert.equal(hashOf(actual.store), hashOf(store), "HashKV");
  for (const bucket of ["lease", "meta"] as const) assert.deepEqual(rows(actual, bucket), rows(expected, bucket));
}

function sameRange(expected: Subject, actual: Subject, key: Uint8Array, rangeEnd: Uint8Array, revision: number): void {
  const options = { revision, limit: 0, countOnly: false };
  const wanted = expected.store.range(key, rangeEnd, options);
  const found = actual.store.range(key, rangeEnd, options);
  assert.equal(found.count, wanted.count, "count");
  assert.deepEqual(found.kvs.map(hex), wanted.kvs.map(hex), "range");
}

function changes(store: Store, from: number, limit: number): string[] {
  return store.events(from, store.currentRevision, limit).map(({ type, key, revision, kv, created }) => {
    return `${type} ${key} ${revision.main}.${revision.sub} ${hex(kv)} ${created}`;
  });
}

function hashOf(store: Store): number {
  const steps = store.hashKv(0);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value.hash;
  }
}

function rows({ backend }: Subject, bucket: "lease" | "meta"): string[] {
  const found: string[] = [];
  backend.scan(bucket, EMPTY_BYTES, undefined, (key, value) => {
    found.push(`${hex(key)}=${hex(value)}`);
    return true;
  });
  return found;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
