/**
 * One member in a simulated world: clients write, the power goes out at any operation of the disk, the member comes back
 * on what is left, and every promise it had made is looked up. A run is a function of its seed.
 */
import { utf8Bytes, utf8Text } from "../../server/base/bytes.ts";
import { Prng } from "../../server/base/prng.ts";
import { makeDurableFolder } from "../../server/member/durable-folder.ts";
import { Member } from "../../server/member/member.ts";
import { NO_METRICS } from "../../server/member/member-metrics.ts";
import type { MemberOptions } from "../../server/member/options.ts";
import type { Store } from "../../server/mvcc/store.ts";
import { DeleteRangeRequest, PutRequest } from "../../server/proto/etcdserverpb.ts";
import { KeyValue } from "../../server/proto/mvccpb.ts";
import { MemoryBackend } from "./world/backend.ts";
import { SimClock } from "./world/clock.ts";
import { SimDisk } from "./world/disk.ts";

export const OPTIONS: MemberOptions = {
  name: "one",
  walFolder: "/data/member/wal",
  receivedFolder: "/data/member/received",
  initialCluster: new Map([["one", ["http://127.0.0.1:2380"]]]),
  clusterToken: "simulated",
  clientUrls: ["http://127.0.0.1:2379"],
  heartbeatMs: 100,
  electionMs: 1000,
  preVote: true,
  snapshotCount: 40,
  snapshotCatchupEntries: 10,
  maxRequestBytes: 1_572_864,
  quotaBytes: undefined,
  backendBatchMs: 20,
  backendBatchOperations: 30,
  compactionBatchRevisions: 10,
  compactionSleepMs: 1,
  autoCompaction: undefined,
  watchProgressNotifyMs: 600_000,
  leaseCheckpoints: false,
  warningApplyMs: 100,
  unsafeNoFsync: false,
  transitBytes: 64 * 1024,
  valueCacheBytes: 4096,
  deleteStepKeys: 2,
  serverVersion: "3.7.3",
  clusterVersion: "3.7.0",
};

const CLIENTS = 5;
const KEYS = 8;
/** Turns in which the reader looks before it rests. */
const LOOKS = 6;
/** Keys that are deleted together: in several steps. */
const ALL_KEYS = { key: utf8Bytes("key "), rangeEnd: utf8Bytes("key!") };
const START_LIMIT_MS = 20_000;

/** What a client was told. `value` undefined: a deletion. */
interface Promised {
  readonly key: string;
  readonly value: string | undefined;
  readonly revision: number;
}

export interface Life {
  readonly lives: number;
  readonly promised: number;
}

/** Throws an Error at the first promise that was not kept. */
export async function liveAndCrash(seed: number, options: { crashes: number; liesAboutSync?: boolean }): Promise<Life> {
  const world = new World(seed);
  makeDurableFolder(world.disk, "/data");
  world.disk.liesAboutSync = options.liesAboutSync ?? false;
  for (let crash = 0; crash < options.crashes; crash++) {
    await world.live();
    world.crash();
  }
  await world.live();
  return { lives: options.crashes + 1, promised: world.promised.length };
}

class World {
  readonly #random: Prng;
  readonly #clock = new SimClock();
  readonly disk: SimDisk;
  #backend = new MemoryBackend({ sync: (done) => void this.#clock.after(3, done) });
  readonly promised: Promised[] = [];
  /** Looks of the reader. */
  reads = 0;
  #values = 0;
  #fatal: unknown;
  /** What the reader saw and should not have. */
  #torn: Error | undefined;
  #life = 0;

  constructor(seed: number) {
    this.#random = new Prng(seed);
    this.disk = new SimDisk({ prng: new Prng(seed + 1), later: (action) => void this.#clock.after(2, action) });
  }

  /** Starts a member on what there is, judges it, and lets clients write until the power goes out. */
  async live(): Promise<void> {
    this.#fatal = undefined;
    const life = ++this.#life;
    const member = this.#start();
    let serving = false;
    member.start().then(
      () => {
        serving = true;
      },
      () => undefined,
    );
    const started = await this.#clock.run(() => serving || this.#fatal !== undefined, START_LIMIT_MS);
    if (this.#fatal !== undefined) throw this.#fatal;
    if (!started) throw new Error(`life ${life}: the member does not serve`);
    this.#judge(member);
    this.disk.crashAtOperation(1 + this.#random.below(120));
    const alive = () => this.#life === life;
    for (let client = 0; client < CLIENTS; client++) void this.#write(member, alive);
    void this.#read(member, alive);
    await this.#clock.run(() => this.#fatal !== undefined, 1000 + this.#random.below(3000));
    if (this.#torn !== undefined) throw this.#torn;
  }

  crash(): void {
    this.#life++;
    this.#clock.forgetAll();
    this.disk.crash();
    this.#backend = this.#backend.crash();
  }

  #start(): Member {
    return new Member(OPTIONS, {
      clock: this.#clock,
      disk: this.disk,
      random: this.#random,
      backend: this.#backend,
      logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
      metrics: NO_METRICS,
      heapShare: () => 0,
      fatal: (error) => {
        this.#fatal ??= error;
      },
    });
  }

  async #write(member: Member, alive: () => boolean): Promise<void> {
    while (alive() && this.#fatal === undefined) {
      const key = `key ${this.#random.below(KEYS)}`;
      try {
        if (this.#random.chance(0.05)) {
          const { header, deleted } = await member.deleteRange(DeleteRangeRequest.create(ALL_KEYS));
          if (deleted > 0 && alive()) this.#promiseAllGone(header?.revision ?? 0);
          continue;
        }
        if (this.#random.chance(0.15)) {
          const { header, deleted } = await member.deleteRange(DeleteRangeRequest.create({ key: utf8Bytes(key) }));
          if (deleted > 0 && alive()) this.promised.push({ key, value: undefined, revision: header?.revision ?? 0 });
        } else {
          const value = `value ${this.#values++}`;
          const { header } = await member.put(PutRequest.create({ key: utf8Bytes(key), value: utf8Bytes(value) }));
          if (alive()) this.promised.push({ key, value, revision: header?.revision ?? 0 });
        }
      } catch {
        return; // the member is gone: what became of this one nobody knows
      }
    }
  }

  #promiseAllGone(revision: number): void {
    for (let key = 0; key < KEYS; key++) this.promised.push({ key: `key ${key}`, value: undefined, revision });
  }

  /** Between any two turns: what is there now is what is there at the revision said, then and later. */
  async #read({ store }: Member, alive: () => boolean): Promise<void> {
    let last: { readonly revision: number; readonly seen: string } | undefined;
    while (alive() && this.#fatal === undefined) {
      for (const at of last === undefined ? [] : [last]) {
        const again = seenAt(store, at.revision);
        if (again.seen !== at.seen) {
          this.#torn ??= new Error(`revision ${at.revision} was read as ${at.seen}, and is ${again.seen}`);
        }
      }
      last = seenAt(store, 0);
      this.reads++;
      // Some turns at one instant, so between the steps of what happens then; then time must go on.
      const rests = this.reads % LOOKS === 0;
      await new Promise<void>((resolve) => {
        if (rests) this.#clock.after(1, resolve);
        else this.#clock.soon(resolve);
      });
    }
  }

  #judge({ store }: Member): void {
    for (const { key, value, revision } of this.promised) {
      if (revision > store.currentRevision) {
        throw new Error(`revision ${revision} was acknowledged, the store stands at ${store.currentRevision}`);
      }
      const { kvs } = store.range(utf8Bytes(key), new Uint8Array(0), { revision, limit: 0, countOnly: false });
      const kv = kvs[0] === undefined ? undefined : KeyValue.decode(kvs[0]);
      const found = kv === undefined ? undefined : utf8Text(kv.value);
      if (found !== value)
        throw new Error(`"${key}" at revision ${revision} was acknowledged as ${value}, and is ${found}`);
    }
  }
}

/** All keys with their counts, as text; `revision` 0: now, with the revision that it is. */
function seenAt(store: Store, revision: number): { readonly revision: number; readonly seen: string } {
  const { key, rangeEnd } = ALL_KEYS;
  const found = store.range(key, rangeEnd, { revision, limit: 0, countOnly: false });
  const counted = store.range(key, rangeEnd, { revision, limit: 0, countOnly: true });
  const texts = found.kvs.map((kv) => utf8Text(KeyValue.decode(kv).value));
  return {
    revision: revision === 0 ? found.revision : revision,
    seen: `${found.count} ${counted.count} ${texts.length} ${texts.join()}`,
  };
}
