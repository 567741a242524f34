/**
 * Real etcd 3.7 and ours get the same requests; every field, code and text of the answers must be equal. The seed is
 * printed; SEED and REQUESTS in the environment choose another run. With CONFORMANCE_MEMBERS=3 ours is a cluster of three,
 * asked through a member that does not lead and then through any of them; etcd is still one member.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { HashKVRequest, WatchCreateRequest } from "../../server/proto/etcdserverpb.ts";
import { MEMBERS } from "../conformance/store.ts";
import { directedRequests } from "../differential/directed.ts";
import { type Answer, Endpoint } from "../differential/endpoint.ts";
import { Generator, type Request } from "../differential/generator.ts";
import { normalForm } from "../differential/normal-form.ts";
import { type Subject, startSubject, type Way } from "../differential/subject.ts";
import { WatchPair } from "../differential/watch-pair.ts";
import { ServerProcess } from "../support/server-process.ts";
import { requireTool } from "../support/tools.ts";

const REQUESTS = Number(process.env["REQUESTS"] ?? 20_000);
const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const STREAMS = 3;
const LEVEL_EVERY = 200;
const WAYS: readonly Way[] = MEMBERS > 1 ? ["through a follower", "through any member"] : ["alone"];

/** Each text that the contract names for these calls, all of which a run must have met. */
const EXPECTED_TEXTS = [
  "etcdserver: key is not provided",
  "etcdserver: key not found",
  "etcdserver: value is provided",
  "etcdserver: lease is provided",
  "etcdserver: too many operations in txn request",
  "etcdserver: duplicate key given in txn request",
  "etcdserver: invalid sort option",
  "etcdserver: mvcc: required revision has been compacted",
  "etcdserver: mvcc: required revision is a future revision",
  "etcdserver: requested lease not found",
  "etcdserver: lease already exists",
  "etcdserver: too large lease TTL",
  "etcdserver: request is too large",
];

for (const way of WAYS) {
  const who = way === "alone" ? "us" : `${MEMBERS} members of ours ${way}`;
  test(`the same ${REQUESTS} random requests get the same answers from etcd and from ${who} (seed ${SEED})`, (t) =>
    compared(t, way));
}

async function compared(t: TestContext, way: Way): Promise<void> {
  const etcd = requireTool(t, "etcd");
  if (etcd === undefined) return;
  const [ours, them] = await Promise.all([
    startSubject(way, MEMBERS, SEED),
    ServerProcess.start({ command: [etcd], flags: ["--log-level=info"] }),
  ]);
  const theirs = new Endpoint("etcd", them.url);
  const run = new Run(ours, theirs, new Generator(SEED));
  try {
    await run.begin();
    for (const request of directedRequests()) await run.compare(request);
    await run.randomly(REQUESTS);
    for (const text of EXPECTED_TEXTS) assert.ok(run.texts.has(text), `no request met "${text}"`);
    const refused = [...run.texts.values()].reduce((sum, count) => sum + count, 0);
    t.diagnostic(
      `${run.count} requests, ${refused} refused in ${run.texts.size} ways, ${run.watchItems} watch items, ${run.hashes} hashes`,
    );
  } finally {
    theirs.close();
    await Promise.all([ours.remove(), them.remove()]);
  }
}

class Run {
  readonly #ours: Subject;
  readonly #theirs: Endpoint;
  readonly #generator: Generator;
  readonly #watches: WatchPair[];
  readonly texts = new Map<string, number>();
  count = 0;
  hashes = 0;

  constructor(ours: Subject, theirs: Endpoint, generator: Generator) {
    this.#ours = ours;
    this.#theirs = theirs;
    this.#generator = generator;
    this.#watches = Array.from({ length: STREAMS }, (_, at) => new WatchPair(ours.watchEndpoint(at), theirs));
  }

  get watchItems(): number {
    return this.#watches.reduce((sum, { items }) => sum + items, 0);
  }

  /** The first watches are there on both before anything is written: their answers name the revision. */
  async begin(): Promise<void> {
    for (const watch of this.#watches) assert.equal(await watch.difference(1), undefined, "before the first request");
  }

  async randomly(requests: number): Promise<void> {
    for (let at = 1; at <= requests; at++) {
      const request = this.#generator.next();
      const answer = await this.compare(request);
      if (request.method === "compact" && answer.code === 0) {
        this.#generator.compacted = request.message.revision;
        await this.#compareHash();
      }
      if (at % LEVEL_EVERY === 0) await this.#level();
    }
    await this.#level();
    await this.#compareEveryHash();
    for (const watch of this.#watches) watch.close();
  }

  async compare(request: Request): Promise<Answer> {
    const [ours, theirs] = await Promise.all([this.#ours.call(request), this.#theirs.call(request)]);
    this.count++;
    if (theirs.text !== "") this.texts.set(theirs.text, (this.texts.get(theirs.text) ?? 0) + 1);
    assert.equal(normalForm(request, ours), normalForm(request, theirs), `request ${this.count}: ${describe(request)}`);
    const header = (theirs.messages.at(-1) as { header?: { revision: number } } | undefined)?.header;
    if (header !== undefined) this.#generator.revision = header.revision;
    return theirs;
  }

  async #compareHash(): Promise<void> {
    await this.compare({ method: "hashKv", message: HashKVRequest.create() });
    this.hashes++;
  }

  /** Each of our members holds the same keys. */
  async #compareEveryHash(): Promise<void> {
    await this.#ours.level();
    const request: Request = { method: "hashKv", message: HashKVRequest.create() };
    const theirs = normalForm(request, await this.#theirs.call(request));
    for (const endpoint of this.#ours.endpoints) {
      assert.equal(
        normalForm(request, await endpoint.call(request)),
        theirs,
        `the hash of ${endpoint.name} at the end`,
      );
      this.hashes++;
    }
  }

  /** Lets all watchers come level, compares them, and changes who watches. */
  async #level(): Promise<void> {
    await this.#ours.level();
    await this.#compareWatches();
    for (const watch of this.#watches) this.#changeWatchers(watch);
    await this.#compareWatches();
    await this.#ours.changeLeader();
  }

  async #compareWatches(): Promise<void> {
    for (const watch of this.#watches) {
      assert.equal(await watch.difference(this.#generator.revision), undefined, `after request ${this.count}`);
    }
  }

  #changeWatchers(watch: WatchPair): void {
    const generator = this.#generator;
    if (generator.chance(0.4)) watch.cancel(1 + generator.below(watch.watchers));
    const key = generator.key();
    const startRevision = generator.chance(0.5) ? 0 : Math.max(-1, generator.revision - generator.below(120));
    watch.create(
      WatchCreateRequest.create({
        key,
        rangeEnd: generator.rangeEnd(key),
        startRevision,
        prevKv: generator.chance(0.5),
        filters: generator.chance(0.2) ? [generator.below(2)] : [],
        watchId: generator.chance(0.1) ? generator.below(8) : 0,
        fragment: generator.chance(0.2),
      }),
    );
  }
}

function describe(request: Request): string {
  const text = JSON.stringify(request, (_key, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`;
    if (value instanceof Uint8Array)
      return value.length > 100 ? `${value.length} bytes` : Buffer.from(value).toString("latin1");
    return value;
  });
  return text.slice(0, 4000);
}
