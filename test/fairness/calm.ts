/**
 * The well-behaved client, a process of its own: asks for one thing of each kind at a time, some two hundred a second, and
 * says how long they took. `node calm.js ENDPOINT`; its parent sends "measured" and gets what was measured since.
 */
import { Agent, get } from "node:http";
import { setPriority } from "node:os";
import { setTimeout as after } from "node:timers/promises";
import { utf8Bytes } from "../../server/base/bytes.ts";
import { WatchCreateRequest } from "../../server/proto/etcdserverpb.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { type CalmReport, KINDS, type Kind, Latencies, type Summary } from "./latencies.ts";
import { Peer } from "./peer.ts";

const PAUSE_MS = 4;
const KEY = utf8Bytes("calm/key");
const ERRORS_KEPT = 5;

const { kv, watch, lease } = SERVICES;
const endpoint = process.argv[2] as string;
const latencies = new Map<Kind, Latencies>(KINDS.map((kind) => [kind, new Latencies()]));
const errors = new Set<string>();
const waiting = new Map<Kind, number>();

try {
  setPriority(-10); // on few processors it is the server's time that is measured, not the scheduler's
} catch {
  // not root: the figures are a little worse
}

const peer = await Peer.connect(endpoint);
await peer.call(kv.methods.put, { key: KEY, value: utf8Bytes("0") });

void repeat("range", () => peer.call(kv.methods.range, { key: KEY }));
void repeat("health", health());
void repeat("keepalive", await keepAlive());
await putAndWatch();

process.on("message", () => {
  const now = performance.now();
  const waitingMs = Math.max(0, ...[...waiting.values()].map((since) => now - since));
  const summaries = Object.fromEntries(
    KINDS.map((kind) => [kind, latencies.get(kind)?.takeSummary(now - (waiting.get(kind) ?? now))]),
  ) as unknown as Record<Kind, Summary>;
  const report: CalmReport = { summaries, errors: [...errors], waitingMs };
  process.send?.(report);
});
process.send?.("ready");

/** Does it again and again with a pause in between, and times it. */
async function repeat(kind: Kind, action: () => Promise<unknown>): Promise<never> {
  for (;;) {
    const started = performance.now();
    waiting.set(kind, started);
    try {
      await action();
      latencies.get(kind)?.add(performance.now() - started);
    } catch (error) {
      failed(kind, error);
    }
    waiting.delete(kind);
    await after(PAUSE_MS);
  }
}

function failed(kind: Kind, error: unknown): void {
  if (errors.size < ERRORS_KEPT) errors.add(`${kind}: ${error instanceof Error ? error.message : String(error)}`);
}

function health(): () => Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return () =>
    new Promise((resolve, reject) => {
      const request = get(`http://${endpoint}/health`, { agent }, (response) => {
        response.resume();
        response.once("end", () =>
          response.statusCode === 200 ? resolve() : reject(new Error(`status ${response.statusCode}`)),
        );
      });
      request.once("error", reject);
    });
}

async function keepAlive(): Promise<() => Promise<void>> {
  const { id } = await peer.call(lease.methods.leaseGrant, { ttl: 60 });
  let heard: (ttl: number) => void = () => undefined;
  const flow = peer.stream(
    lease.methods.leaseKeepAlive,
    ({ ttl }) => heard(ttl),
    (refusal) => failed("keepalive", refusal),
  );
  return () =>
    new Promise((resolve, reject) => {
      heard = (ttl) => (ttl > 0 ? resolve() : reject(new Error("the lease is gone")));
      flow.send({ id });
    });
}

/** Puts, and times the event of each put by its own watch, from the moment the put was sent. */
async function putAndWatch(): Promise<void> {
  const sent: number[] = [];
  await new Promise<void>((created) => {
    const flow = peer.stream(
      watch.methods.watch,
      (response) => {
        if (response.created) created();
        for (const _ of response.events) {
          latencies.get("watch")?.add(performance.now() - (sent.shift() ?? Number.NaN));
          const next = sent[0];
          if (next === undefined) waiting.delete("watch");
          else waiting.set("watch", next);
        }
      },
      (refusal) => failed("watch", refusal),
    );
    flow.send({ requestUnion: { kind: "create", value: WatchCreateRequest.create({ key: KEY }) } });
  });
  let value = 0;
  void repeat("put", () => {
    const now = performance.now();
    sent.push(now);
    if (sent.length === 1) waiting.set("watch", now);
    return peer.call(kv.methods.put, { key: KEY, value: utf8Bytes(String(value++)) });
  });
}
