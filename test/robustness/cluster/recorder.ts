/** What clients of a cluster asked and were told, by one clock, in the form that the checkers read. */
import type { CallStatus } from "../../../server/client/client.ts";
import { STATUS } from "../../../server/rpc/status.ts";
import type { Answer, Operation, Refusal, Request } from "../../checkers/history.ts";
import type { ListTransaction } from "../../checkers/list-transactions.ts";

/** How a call ended: answered, refused without an effect, or nobody knows. */
export type End =
  | Answer
  | { readonly kind: "open"; readonly why: string }
  | { readonly kind: "never sent"; readonly why: string };

/** Refusals after which nothing can have happened. */
const REFUSALS: readonly [keyof typeof STATUS, Refusal][] = [
  ["Compacted", "compacted"],
  ["FutureRevision", "future revision"],
  ["LeaseNotFound", "lease not found"],
  ["KeyNotFound", "key not found"],
  ["TooManyRequests", "other"],
];
const WHY: ReadonlyMap<string, Refusal> = new Map(REFUSALS.map(([code, why]) => [STATUS[code].text, why]));
/** Of gRPC: how a call may end under faults; whatever else comes is told at the end. */
const UNAVAILABLE = 14;
const DEADLINE_EXCEEDED = 4;
const CANCELED = 1;
const CODES_SHOWN = 12;
/** How grpc-js begins when a call has found nobody to be sent to. */
const NEVER_SENT = "No connection established";

export class Recorder {
  readonly operations: Operation[] = [];
  readonly lists: ListTransaction[] = [];
  /** How often each kind of call was answered. */
  readonly answered = new Map<string, number>();
  /** How calls ended that were not: by text. */
  readonly open = new Map<string, number>();
  /** Ends that faults do not explain. */
  readonly strange: string[] = [];
  /** Calls that were answered. */
  answers = 0;
  #ids = 0;

  /** Milliseconds, of the clock that all clients share. */
  get nowMs(): number {
    return performance.now();
  }

  /** Remembers a call that began at `calledMs` and has ended now; not one that has never left its client. */
  note(client: string, request: Request, calledMs: number, end: End): void {
    if (end.kind === "done") {
      this.answers++;
      count(this.answered, nameOf(request));
    } else if (end.kind !== "refused") count(this.open, end.why);
    if (end.kind === "never sent") return;
    const answer = end.kind === "open" ? undefined : end;
    this.operations.push({ id: this.#ids++, client, calledMs, returnedMs: this.nowMs, request, answer });
  }

  /** A call that was not answered. */
  failed({ code, text }: CallStatus): End {
    const why = WHY.get(text);
    if (why !== undefined) return { kind: "refused", why };
    if (code !== UNAVAILABLE && code !== DEADLINE_EXCEEDED && code !== CANCELED) {
      const line = `${code}: ${text}`;
      if (!this.strange.includes(line)) this.strange.push(line);
    }
    // Behind the first words there are times and addresses.
    const words = text.split(/ after |\. |: Error/)[0] as string;
    return { kind: text.startsWith(NEVER_SENT) ? "never sent" : "open", why: words };
  }

  /** For people: how many of what were answered, and how the others ended. */
  get words(): string {
    const list = (counts: ReadonlyMap<string, number>) =>
      [...counts]
        .sort(([, left], [, right]) => right - left)
        .slice(0, CODES_SHOWN)
        .map(([name, times]) => `${times} ${name}`)
        .join(", ");
    return `answered: ${list(this.answered)}; without an answer: ${list(this.open) || "none"}`;
  }
}

/** Adds one to a count by name. */
export function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function nameOf(request: Request): string {
  if (request.kind !== "range") return request.kind;
  if (request.revision > 0) return "range of the past";
  return request.serializable ? "serializable range" : "range";
}
