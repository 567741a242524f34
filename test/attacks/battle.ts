/** One attack on one server, from the server's start to its end: who was cut off, what it cost, what others felt. */
import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { setPriority } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { utf8Bytes } from "../../server/base/bytes.ts";
import { connect } from "../../server/client/client.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { CA, CERTIFICATES } from "../support/certificates.ts";
import { KVORUM_COMMAND, ServerProcess } from "../support/server-process.ts";
import type { Attack, Scene } from "./attack.ts";
import type { Phase } from "./good-client.ts";
import { RawClient } from "./raw-client.ts";

export interface Battle {
  readonly attack: string;
  readonly idle: Phase;
  readonly under: Phase;
  /** Resident memory of the server, in bytes. */
  readonly memory: { readonly before: number; readonly peak: number; readonly after: number };
  /** What became of the attacker's connections: "40x GOAWAY ENHANCE_YOUR_CALM (too many pings)". */
  readonly fate: readonly string[];
  readonly cutOff: boolean;
  readonly notes: readonly string[];
  /** The server ended, or did not answer afterwards. */
  readonly broken: string | undefined;
}

const GOOD_CLIENT = fileURLToPath(new URL("good-client.js", import.meta.url));
const SAMPLE_MS = 100;
const SETTLE_MS = 1000;
const WARM_MS = 500;
const IDLE_SECONDS = 3;
/** The attackers come from other machines, really: here they must not take the processor from server and client. */
const ATTACKER_NICENESS = 10;
/** What a range over everything finds: 4 MB. */
const BIG_KEYS = 400;
const BIG_VALUE = new Uint8Array(10 * 1024).fill(98);
const PIECES = 8;
/** A slow machine may need so much longer to reach a rate that the attacker is cut off for. */
const PATIENCE_SECONDS = 30;

/** `etcd`: the program to attack instead of ours. */
export async function fight(attack: Attack, seconds: number, etcd: string | undefined): Promise<Battle> {
  const tls = attack.over === "tls";
  const flags = [...(etcd === undefined ? ["--grpc-engine=own"] : []), ...(tls ? tlsFlags() : [])];
  const command = etcd === undefined ? KVORUM_COMMAND : [etcd];
  const server = await ServerProcess.start({ command, flags, scheme: tls ? "https" : "http" });
  try {
    await prepare(server.url);
    return await measure(attack, Math.max(seconds, attack.leastSeconds ?? 0), server, tls);
  } finally {
    await server.remove();
  }
}

async function measure(attack: Attack, seconds: number, server: ServerProcess, tls: boolean): Promise<Battle> {
  const good = fork(GOOD_CLIENT, [server.url]);
  const watch = new MemoryWatch(server.pid);
  const scene = new Field(server.clientPort, tls, seconds, attack.expect === "gone");
  try {
    await sleep(WARM_MS);
    await phaseOf(good);
    await sleep(Math.min(IDLE_SECONDS, seconds) * 1000);
    const idle = await phaseOf(good);
    const before = watch.begin();
    scene.begin();
    setPriority(ATTACKER_NICENESS);
    await attack.run(scene);
    const under = await phaseOf(good);
    const fate = scene.fate();
    scene.leave();
    await sleep(SETTLE_MS);
    const { peak } = watch;
    const after = watch.now();
    const broken = await brokenText(server);
    return { attack: attack.name, idle, under, memory: { before, peak, after }, ...fate, notes: scene.notes, broken };
  } finally {
    resumePriority();
    scene.leave();
    watch.end();
    good.kill("SIGKILL");
  }
}

/** Before the next server is started, which would inherit it. Only root may. */
function resumePriority(): void {
  try {
    setPriority(0);
  } catch {
    // then all of them have the lower one from here on
  }
}

async function phaseOf(good: ChildProcess): Promise<Phase> {
  const answer = new Promise<Phase>((resolve) => good.once("message", (phase) => resolve(phase as Phase)));
  good.send("phase");
  return answer;
}

async function brokenText(server: ServerProcess): Promise<string | undefined> {
  const client = clientOf(server.url);
  const { status } = await client.call(SERVICES.maintenance.methods.status, {}, { timeoutMs: 10_000 });
  client.close();
  return status.code === 0 ? undefined : `${status.code} ${status.text}: ${server.log.slice(-1000)}`;
}

async function prepare(url: string): Promise<void> {
  const client = clientOf(url);
  const put = (at: number) => client.unary(SERVICES.kv.methods.put, { key: utf8Bytes(`big/${at}`), value: BIG_VALUE });
  for (let at = 0; at < BIG_KEYS; at += PIECES)
    await Promise.all(Array.from({ length: PIECES }, (_, of) => put(at + of)));
  client.close();
}

function clientOf(url: string): ReturnType<typeof connect> {
  return connect(url, url.startsWith("https:") ? { tls: { ca: CA, serverName: "localhost" } } : {});
}

function tlsFlags(): string[] {
  return [`--cert-file=${CERTIFICATES.serverCert}`, `--key-file=${CERTIFICATES.serverKey}`];
}

/** The attackers' side. */
class Field implements Scene {
  readonly port: number;
  readonly notes: string[] = [];
  readonly #tls: boolean;
  readonly #seconds: number;
  /** It goes on, up to a bound, until the attacker has been cut off once. */
  readonly #untilGone: boolean;
  readonly #clients: RawClient[] = [];
  #untilMs = 0;

  constructor(port: number, tls: boolean, seconds: number, untilGone: boolean) {
    this.port = port;
    this.#tls = tls;
    this.#seconds = seconds;
    this.#untilGone = untilGone;
  }

  begin(): void {
    this.#untilMs = performance.now() + this.#seconds * 1000;
  }

  get over(): boolean {
    return performance.now() >= this.#endMs;
  }

  get #endMs(): number {
    return this.#untilGone && !this.#cutOff ? this.#untilMs + PATIENCE_SECONDS * 1000 : this.#untilMs;
  }

  get #cutOff(): boolean {
    return this.#clients.some(({ ended }) => ended !== undefined);
  }

  async open(options = {}): Promise<RawClient> {
    const client = await RawClient.open({ port: this.port, tls: this.#tls }, options);
    this.#clients.push(client);
    return client;
  }

  async pause(ms: number): Promise<void> {
    await sleep(Math.max(0, Math.min(ms, this.#endMs - performance.now())));
  }

  note(text: string): void {
    this.notes.push(text);
  }

  fate(): { fate: string[]; cutOff: boolean } {
    const counts = new Map<string, number>();
    const count = (what: string, times: number) => counts.set(what, (counts.get(what) ?? 0) + times);
    for (const client of this.#clients) {
      count(client.ended ?? "open", 1);
      for (const [code, times] of client.resets) count(code, times);
    }
    const fate = [...counts].sort(([, left], [, right]) => right - left).map(([what, times]) => `${times}x ${what}`);
    return { fate, cutOff: this.#cutOff };
  }

  leave(): void {
    for (const client of this.#clients) client.close();
  }
}

/** Looks at a process's resident memory again and again. */
class MemoryWatch {
  peak = 0;
  readonly #pid: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(pid: number) {
    this.#pid = pid;
  }

  begin(): number {
    this.peak = this.now();
    this.#timer = setInterval(() => {
      this.peak = Math.max(this.peak, this.now());
    }, SAMPLE_MS);
    return this.peak;
  }

  now(): number {
    return residentBytes(this.#pid);
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

/** Of a process and what it started: a server may have begun itself again with another heap. 0: it has gone. */
function residentBytes(pid: number): number {
  try {
    const own = Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return children === "" ? own : children.split(" ").reduce((sum, child) => sum + residentBytes(Number(child)), own);
  } catch {
    return 0;
  }
}
