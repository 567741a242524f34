/**
 * What an answer that is no success means, as a `KubeError`: from a `Status` of the API server, or from whatever a proxy
 * on the way has said instead.
 */
import { KubeError } from "./kube.ts";

/** Of a text that is no Status only so much is shown. */
const MAX_TEXT = 300;

/** The parts of the API's `Status` that we look at. */
interface Status {
  readonly message?: string;
  readonly reason?: string;
  readonly code?: number;
  readonly details?: { readonly name?: string; readonly retryAfterSeconds?: number };
}

/** `what` names the call, such as `GET /api/v1/pods`; `retryAfter` is the header's value. */
export function failureOf(what: string, status: number, body: string, retryAfter?: string): KubeError {
  const answer = statusIn(body);
  if (answer === undefined) {
    const text = body.length > MAX_TEXT ? `${body.slice(0, MAX_TEXT)}...` : body;
    return new KubeError(`${what}: ${status} ${text.trim()}`, status, "", pauseOf(retryAfter, undefined));
  }
  const { message = "", details } = answer;
  return new KubeError(
    `${what}: ${message}`,
    status,
    reasonOf(status, answer),
    pauseOf(retryAfter, details?.retryAfterSeconds),
  );
}

/** What the object of an `ERROR` event of a watch means. */
export function failureInStream(what: string, object: unknown): KubeError {
  const status = (object ?? {}) as Status;
  const { code, message = JSON.stringify(object), details } = status;
  // A code that is missing must not look like a call whose outcome is unknown.
  return new KubeError(
    `${what}: ${message}`,
    code ?? 500,
    status.reason ?? "",
    pauseOf(undefined, details?.retryAfterSeconds),
  );
}

/** That an object is not there is only said of an object that is named; else a kind or path is missing. */
function reasonOf(status: number, { reason = "", details }: Status): string {
  return status === 404 && reason === "NotFound" && !details?.name ? "UnknownPath" : reason;
}

function statusIn(body: string): Status | undefined {
  try {
    const value = JSON.parse(body);
    return value?.kind === "Status" ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Only whole seconds are taken: Kubernetes never sends a date. */
function pauseOf(header: string | undefined, seconds: number | undefined): number | undefined {
  if (header !== undefined && /^\d{1,6}$/.test(header)) return Number(header) * 1000;
  return seconds === undefined || seconds <= 0 ? undefined : seconds * 1000;
}
