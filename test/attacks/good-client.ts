/**
 * The client beside an attack, a process of its own: one request at a time, a range and a small put in turns. Its parent
 * says when a phase ends, and is answered with what the phase was like.
 */
import { utf8Bytes } from "../../server/base/bytes.ts";
import { connect } from "../../server/client/client.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { CA } from "../support/certificates.ts";

/** What one phase was like; latencies in milliseconds. */
export interface Phase {
  readonly requests: number;
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
  /** "14 connection dropped": how often. */
  readonly errors: Readonly<Record<string, number>>;
}

const VALUE = new Uint8Array(512).fill(120);
const KEYS = 100;
const PATIENCE_MS = 10_000;
const PAUSE_MS = 1;

const [url = ""] = process.argv.slice(2);
const client = connect(url, url.startsWith("https:") ? { tls: { ca: CA, serverName: "localhost" } } : {});
let latencies: number[] = [];
let errors: Record<string, number> = {};

process.on("message", () => {
  process.send?.(phase());
  latencies = [];
  errors = {};
});
process.on("disconnect", () => process.exit());

for (let round = 0; ; round++) {
  const key = utf8Bytes(`good/${round % KEYS}`);
  const started = performance.now();
  const settings = { timeoutMs: PATIENCE_MS };
  const { status } =
    round % 2 === 0
      ? await client.call(SERVICES.kv.methods.range, { key }, settings)
      : await client.call(SERVICES.kv.methods.put, { key, value: VALUE }, settings);
  latencies.push(performance.now() - started);
  if (status.code !== 0) {
    const what = `${status.code} ${status.text}`;
    errors[what] = (errors[what] ?? 0) + 1;
  }
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}

function phase(): Phase {
  const sorted = latencies.sort((left, right) => left - right);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? PATIENCE_MS;
  return { requests: sorted.length, p50: at(0.5), p99: at(0.99), longest: at(1), errors };
}
