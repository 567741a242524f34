/**
 * The client that wants too much, a process of its own: `node abuser.js ENDPOINT SCALE ABUSE`. It says "ready" when it has
 * prepared and "done" with what it got; its parent says "start" and "stop".
 */
import { ABUSES, type Attack } from "./abuses.ts";
import { Peer } from "./peer.ts";

export interface AbuserReport {
  readonly done: number;
  readonly receivedBytes: number;
  /** Refusals by their text, and how often. */
  readonly refusals: Readonly<Record<string, number>>;
}

const REFUSALS_KEPT = 5;
const [endpoint = "", scale = "1", name = ""] = process.argv.slice(2);
const abuse = ABUSES[name];
if (abuse === undefined) throw new Error(`there is no abuse "${name}": ${Object.keys(ABUSES).join(", ")}`);

const peer = await Peer.connect(endpoint);
const refusals = new Map<string, number>();
let stopped = false;
let done = 0;

const attack: Attack = {
  peer,
  scale: Number(scale),
  stopped: () => stopped,
  count: (more) => {
    done += more;
  },
  refused: (error) => {
    if (stopped) return; // the end of the connection
    const text = error instanceof Error ? error.message : String(error);
    if (refusals.has(text) || refusals.size < REFUSALS_KEPT) refusals.set(text, (refusals.get(text) ?? 0) + 1);
  },
};

await abuse.prepare?.(attack);
process.send?.("ready");
process.on("message", (word) => {
  if (word === "start") start();
  else stop();
});

function start(): void {
  done = 0;
  peer.receivedBytes = 0;
  void abuse?.attack(attack).catch(attack.refused);
}

function stop(): void {
  stopped = true;
  const report: AbuserReport = { done, receivedBytes: peer.receivedBytes, refusals: Object.fromEntries(refusals) };
  process.send?.(report, () => process.exit(0));
}
