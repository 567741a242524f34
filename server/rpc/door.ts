/**
 * Before a request is a call: is it gRPC, and is its head in order? What is not in order is turned away with a status of
 * HTTP's own. On a plain connection etcd does that in gRPC's manner; over TLS Go's HTTP server stands in front of gRPC, and
 * the answer is a line of text. Known of the head alone, so whoever sees the same head again need not ask again.
 */
import { timeoutFault } from "./call-facts.ts";
import { GrpcCode } from "./status.ts";

export interface Head {
  readonly method: string;
  readonly path: string;
  /** "" without one. */
  readonly contentType: string;
  /** "grpc-timeout"; undefined: there is none. */
  readonly timeout: string | undefined;
  /** Whether it came over TLS. */
  readonly secure: boolean;
}

/** An answer without a call. */
export interface TurnedAway {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** What is behind the door. */
export interface Inside {
  /** Whether there are HTTP paths at all. */
  readonly hasPaths: boolean;
  /** Whether a path is that of a method. */
  serves(path: string): boolean;
}

/** A call, the answer to what is none, or something for the HTTP paths. */
export type Way = "call" | "paths" | TurnedAway;

export function wayOf(head: Head, inside: Inside): Way {
  // Without HTTP paths gRPC has the connection for itself, over TLS too.
  if (!inside.hasPaths) return inGrpc(head) ?? "call";
  // etcd has the HTTP paths over TLS alone. On a plain connection ours are where gRPC has no method.
  const claimsGrpc = head.contentType.includes("application/grpc");
  if (!claimsGrpc && (head.secure || !inside.serves(head.path))) return "paths";
  return (head.secure ? inPlainText(head) : inGrpc(head)) ?? "call";
}

function isGrpc(contentType: string): boolean {
  return /^application\/grpc([+;]|$)/.test(contentType);
}

function contentTypeText(contentType: string): string {
  return `invalid gRPC request content-type ${JSON.stringify(contentType)}`;
}

function inGrpc({ method, contentType, timeout }: Head): TurnedAway | undefined {
  if (!isGrpc(contentType)) return grpcAnswer(415, GrpcCode.INVALID_ARGUMENT, contentTypeText(contentType));
  const fault = timeout === undefined ? undefined : timeoutFault(timeout);
  if (fault !== undefined) return grpcAnswer(400, GrpcCode.INTERNAL, fault);
  if (method === "POST") return undefined;
  const text = `Received a HEADERS frame with :method ${JSON.stringify(method)} which should be POST`;
  return grpcAnswer(405, GrpcCode.INTERNAL, text);
}

function grpcAnswer(status: number, grpc: number, text: string): TurnedAway {
  const headers = [
    ["content-type", "application/grpc"],
    ["grpc-status", String(grpc)],
    ["grpc-message", escapeMessage(text)],
  ] as const;
  return { status, headers, body: "" };
}

function inPlainText({ method, contentType, timeout }: Head): TurnedAway | undefined {
  if (method !== "POST") {
    return textAnswer(405, `invalid gRPC request method ${JSON.stringify(method)}`, [["allow", "POST"]]);
  }
  if (!isGrpc(contentType)) return textAnswer(415, contentTypeText(contentType));
  const fault = timeout === undefined || timeout === "" ? undefined : timeoutFault(timeout);
  return fault === undefined ? undefined : textAnswer(400, fault);
}

function textAnswer(status: number, text: string, more: TurnedAway["headers"] = []): TurnedAway {
  const headers = [
    ...more,
    ["content-type", "text/plain; charset=utf-8"],
    ["x-content-type-options", "nosniff"],
  ] as const;
  return { status, headers, body: `${text}\n` };
}

/** The text of a status as grpc-go escapes it: less than a URL would need. */
export function escapeMessage(text: string): string {
  if (/^[ -$&-~]*$/.test(text)) return text;
  let escaped = "";
  for (const byte of Buffer.from(text, "utf8")) {
    const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x25;
    escaped += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return escaped;
}
