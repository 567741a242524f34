/** Operations in words, for the person who looks at a violation. */
import type { Answer, Change, Compare, Interval, Kv, Operation, Request, Result } from "./history.ts";

/** Longer texts are cut, with their length. */
const SHOWN_CHARS = 40;
/** More keys of an answer are only counted. */
const SHOWN_ITEMS = 6;

/** `#17 of client 3 (at 120..135 ms): put "a" = "v17" -> revision 9`. */
export function operationWords({ id, client, calledMs, returnedMs, request, answer }: Operation): string {
  const times = `at ${shortNumber(calledMs)}..${answer === undefined ? "?" : shortNumber(returnedMs)} ms`;
  return `#${id} of ${client} (${times}): ${requestWords(request)} -> ${answerWords(answer)}`;
}

export function requestWords(request: Request): string {
  switch (request.kind) {
    case "put": {
      const value = request.ignoreValue ? "its own value" : quoted(request.value);
      const lease = request.ignoreLease
        ? " and its own lease"
        : request.lease === 0n
          ? ""
          : ` on lease ${request.lease}`;
      return `put ${quoted(request.key)} = ${value}${lease}`;
    }
    case "range": {
      const options = [
        request.serializable ? "serializable" : "",
        request.countOnly ? "count only" : "",
        request.limit > 0 ? `limit ${request.limit}` : "",
        request.revision > 0 ? `at revision ${request.revision}` : "",
      ].filter((option) => option !== "");
      return `range ${intervalWords(request)}${options.map((option) => `, ${option}`).join("")}`;
    }
    case "delete":
      return `delete ${intervalWords(request)}`;
    case "txn": {
      const branch = (requests: readonly Request[]) => `[${requests.map(requestWords).join("; ")}]`;
      const compares = request.compares.map(compareWords).join(" and ");
      return `txn if (${compares}) ${branch(request.success)} else ${branch(request.failure)}`;
    }
    case "compact":
      return `compact at ${request.revision}`;
    case "grant":
      return `grant lease ${request.lease} for ${request.ttlSeconds} s`;
    case "renew":
      return `renew lease ${request.lease}`;
    case "revoke":
      return `revoke lease ${request.lease}`;
  }
}

export function answerWords(answer: Answer | undefined): string {
  if (answer === undefined) return "no answer";
  if (answer.kind === "refused") return `refused (${answer.why})`;
  const result = resultWords(answer.result);
  return `revision ${answer.revision}${result === "" ? "" : `, ${result}`}`;
}

export function resultWords(result: Result): string {
  switch (result.kind) {
    case "put":
      return result.prevKv === undefined ? "" : `before it ${kvWords(result.prevKv)}`;
    case "range":
      return `${listed(result.kvs.map(kvWords))}, count ${result.count}${result.more ? ", more" : ""}`;
    case "delete":
      return `deleted ${result.deleted}${result.prevKvs.length === 0 ? "" : `: ${listed(result.prevKvs.map(kvWords))}`}`;
    case "txn":
      return `${result.succeeded ? "succeeded" : "else"} ${listed(result.results.map((one) => resultWords(one) || "put"))}`;
    case "grant":
    case "renew":
      return `TTL ${result.ttlSeconds} s`;
    default:
      return "";
  }
}

export function kvWords({ key, value, createRevision, modRevision, version, lease }: Kv): string {
  const where = `created ${createRevision}, changed ${modRevision}, version ${version}`;
  return `${quoted(key)} = ${quoted(value)} (${where}${lease === 0n ? "" : `, lease ${lease}`})`;
}

export function changesWords(changes: readonly Change[]): string {
  if (changes.length === 0) return "nothing";
  return listed(changes.map((one) => (one.kind === "put" ? `put ${kvWords(one.kv)}` : `delete ${quoted(one.key)}`)));
}

export function intervalWords({ key, end }: Interval): string {
  if (end === "") return quoted(key);
  return `[${quoted(key)}, ${end === "\0" ? "end" : quoted(end)})`;
}

export function quoted(text: string): string {
  if (text.length <= SHOWN_CHARS) return JSON.stringify(text);
  return `${JSON.stringify(text.slice(0, SHOWN_CHARS))}... (${text.length} bytes)`;
}

function compareWords(compare: Compare): string {
  const operand = typeof compare.operand === "string" ? quoted(compare.operand) : `${compare.operand}`;
  return `${compare.target} of ${intervalWords(compare)} ${compare.relation} ${operand}`;
}

function listed(items: readonly string[]): string {
  const shown = items.slice(0, SHOWN_ITEMS).join("; ");
  return `[${shown}${items.length > SHOWN_ITEMS ? `; and ${items.length - SHOWN_ITEMS} more` : ""}]`;
}

/** At most three digits behind the point. */
export function shortNumber(value: number): string {
  return Number.isInteger(value) ? `${value}` : value.toFixed(3);
}
