/**
 * A process that reads damaged copies of a store, one bit flipped in each, and says what it was given. It may well be
 * killed by a page that leads LMDB astray; its parent then goes on with the next copy.
 *
 *   node read-damaged-store <work folder> <file> <records as JSON> <seed> <first> <end>
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { utf8Bytes, utf8Text } from "../../server/base/bytes.ts";
import { WorldError } from "../../server/base/error.ts";
import { Prng } from "../../server/base/prng.ts";
import { CorruptRecord } from "../../server/ports/backend.ts";
import { LmdbBackend } from "../../server/storage/lmdb-backend.ts";

const [, , work = "", file = "", recordsFile = "", seed = "0", first = "0", end = "0"] = process.argv;
const image = readFileSync(file);
const records = new Map(JSON.parse(readFileSync(recordsFile, "utf8")) as [string, string][]);

for (let number = Number(first); number < Number(end); number++) {
  const random = new Prng(Number(seed) * 100_000 + number);
  const damaged = Buffer.from(image);
  const at = random.below(damaged.length);
  damaged[at] = (damaged[at] as number) ^ (1 << random.below(8));
  const folder = join(work, String(number));
  mkdirSync(folder);
  writeFileSync(join(folder, "kvorum.mdb"), damaged);
  process.stdout.write(`${number} ${await verdict(folder)} at ${at}\n`);
  rmSync(folder, { recursive: true });
}

async function verdict(folder: string): Promise<string> {
  let backend: LmdbBackend;
  try {
    backend = LmdbBackend.open(folder);
  } catch (error) {
    return error instanceof WorldError ? "refused" : `WRONG error ${String(error)}`;
  }
  const verdicts = [...readAll(backend), scanAll(backend)];
  await backend.close();
  return verdicts.find((one) => one.startsWith("WRONG")) ?? verdicts.find((one) => one !== "right") ?? "right";
}

function* readAll(backend: LmdbBackend): Generator<string> {
  for (const [key, value] of records) {
    yield attempt(() => {
      const found = backend.get("key", utf8Bytes(key));
      if (found === undefined) return "absent";
      return utf8Text(found) === value ? "right" : `WRONG value of ${key}`;
    });
  }
}

function scanAll(backend: LmdbBackend): string {
  return attempt(() => {
    const seen = new Set<string>();
    let wrong: string | undefined;
    backend.scan("key", new Uint8Array(0), undefined, (key, value) => {
      const name = utf8Text(key);
      if (seen.has(name)) wrong = `WRONG repeated ${name}`;
      if (records.get(name) !== utf8Text(value)) wrong = `WRONG row ${name}`;
      seen.add(name);
      return true;
    });
    return wrong ?? (seen.size === records.size ? "right" : "absent in scan");
  });
}

function attempt(read: () => string): string {
  try {
    return read();
  } catch (error) {
    return error instanceof CorruptRecord ? "thrown" : `WRONG error ${String(error)}`;
  }
}
