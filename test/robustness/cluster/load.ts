/** All clients and watchers of one run, which can be held for a moment and are stopped once. */
import { setTimeout as sleep } from "node:timers/promises";
import { Prng } from "../../../server/base/prng.ts";
import { SERVICES } from "../../../server/proto/services.ts";
import { runKeyClient, Windows } from "./key-clients.ts";
import { runLeaseClient } from "./lease-clients.ts";
import { Lists, runListClient } from "./list-clients.ts";
import { Recorder } from "./recorder.ts";
import { Session } from "./session.ts";
import { WatchLoop, type WatchOptions } from "./watch-loop.ts";

const KEY_CLIENTS = 7;
const LIST_CLIENTS = 2;
const LEASE_CLIENTS = 3;
/** Ids of the leases of different clients do not meet. */
const LEASES_EACH = 1_000_000n;
const COMPACT_MS = 700;
/** How many revisions stay readable, at least. */
const KEPT_REVISIONS = 100;

/** Every key; from the first revision on. */
const EVERYTHING = { key: "\0", end: "\0", startRevision: 1 };
const WATCHERS: readonly WatchOptions[] = [
  { ...EVERYTHING, name: "watcher of all", prevKv: true, movesAfterMs: 2000 },
  { name: "watcher of lists", key: "list/", end: "list0", startRevision: 0, needsLeader: true, movesAfterMs: 4000 },
  {
    name: "watcher of the keys",
    key: "w/",
    end: "w0",
    startRevision: 1,
    fragment: true,
    prevKv: true,
    movesAfterMs: 3000,
  },
  { name: "watcher of deletions", key: "\0", end: "\0", startRevision: 1, noPut: true, needsLeader: true },
  { name: "watcher of puts", key: "leased/", end: "w1", startRevision: 0, noDelete: true, movesAfterMs: 1000 },
];

export class Load {
  readonly recorder = new Recorder();
  /** Sees every change from the first revision on: the truth for the checkers, as far as it agrees with the answers. */
  readonly log: WatchLoop;
  readonly watchers: readonly WatchLoop[];
  /** The highest revision at which a compaction was asked for. */
  compactedTo = 0;
  isOver = false;
  readonly #endpoints: () => readonly string[];
  readonly #random: Prng;
  readonly #running: Promise<void>[] = [];
  #inside = 0;
  #held: Promise<void> | undefined;
  #letGo: (() => void) | undefined;

  constructor(endpoints: () => readonly string[], seed: number) {
    this.#endpoints = endpoints;
    this.#random = new Prng(seed);
    this.log = new WatchLoop({ ...EVERYTHING, name: "log" }, endpoints, this.#chance());
    this.watchers = WATCHERS.map((options) => new WatchLoop(options, endpoints, this.#chance()));
  }

  start(): void {
    const [windows, lists] = [new Windows(), new Lists()];
    for (let at = 0; at < KEY_CLIENTS; at++) this.#running.push(runKeyClient(this.session(`client ${at}`), windows));
    for (let at = 0; at < LIST_CLIENTS; at++) this.#running.push(runListClient(this.session(`lister ${at}`), lists));
    for (let at = 0; at < LEASE_CLIENTS; at++)
      this.#running.push(runLeaseClient(this.session(`lessee ${at}`), BigInt(at + 1) * LEASES_EACH));
    this.#running.push(this.#compact(this.session("compactor")));
    this.log.start();
    for (const watcher of this.watchers) watcher.start();
  }

  /** A client more, which records what it asks with the others. */
  session(name: string): Session {
    return new Session(name, this, this.#chance());
  }

  endpoints(): readonly string[] {
    return this.#endpoints();
  }

  async enter(): Promise<void> {
    while (this.#held !== undefined) await this.#held;
    this.#inside++;
  }

  leave(): void {
    this.#inside--;
  }

  /** Resolves when no call is under way, and none begins until `go`. */
  async hold(): Promise<void> {
    this.#held = new Promise((resolve) => {
      this.#letGo = resolve;
    });
    while (this.#inside > 0) await sleep(5);
  }

  go(): void {
    this.#held = undefined;
    this.#letGo?.();
  }

  /** No client calls any more; those who watch go on. Resolves when all have ended. */
  async finish(): Promise<void> {
    this.isOver = true;
    this.go();
    await Promise.all(this.#running);
  }

  async stopWatching(): Promise<void> {
    await Promise.all([this.log, ...this.watchers].map((watcher) => watcher.stop()));
  }

  /** Compacts a little behind the newest, and never what the log has not been told of. */
  async #compact(session: Session): Promise<void> {
    while (!this.isOver) {
      await sleep(COMPACT_MS / 2 + session.random.below(COMPACT_MS));
      const revision = this.log.through - KEPT_REVISIONS - session.random.below(KEPT_REVISIONS);
      if (revision <= this.compactedTo) continue;
      this.compactedTo = revision;
      await session.ask({ kind: "compact", revision }, SERVICES.kv.methods.compact, { revision }, () => ({
        kind: "compact",
      }));
    }
    session.close();
  }

  #chance(): Prng {
    return new Prng(this.#random.uint32());
  }
}
