/** What a call's headers say of it, read as etcd and grpc-go read them. */
import { EtcdError } from "../base/error.ts";

/** Headers by name in lower case, as `node:http2` gives them; bytes above 0x7f are one character each. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** What a call says of itself before its first message, and who makes it. */
export interface CallFacts {
  readonly token: string | undefined;
  readonly commonName: string | undefined;
  readonly remoteAddress: string;
  readonly requiresLeader: boolean;
  /** Undefined: not UTF-8, and so refused. */
  readonly clientApiVersion: string | undefined;
  /** Milliseconds from now; undefined: the caller waits for ever. */
  readonly timeoutMs: number | undefined;
  /** Why the call cannot be taken at all, though it came well enough to be answered. */
  readonly refusal: EtcdError | undefined;
}

/** Who is at the other end of a connection. */
export interface Peer {
  readonly remoteAddress: string;
  /** Of the client certificate, once that is verified. */
  readonly commonName: string | undefined;
}

export function readCallFacts(headers: Headers, peer: Peer): CallFacts {
  const timeout = readTimeout(first(headers["grpc-timeout"]));
  return {
    token: first(headers["token"]) ?? bearerToken(first(headers["authorization"])),
    commonName: peer.commonName,
    remoteAddress: peer.remoteAddress,
    requiresLeader: first(headers["hasleader"]) === "true",
    clientApiVersion: readVersion(first(headers["client-api-version"])),
    timeoutMs: typeof timeout === "number" ? timeout : undefined,
    refusal: timeout instanceof EtcdError ? timeout : encodingRefusal(first(headers["grpc-encoding"])),
  };
}

function first(value: string | string[] | undefined): string | undefined {
  return typeof value === "object" ? value[0] : value;
}

function bearerToken(authorization: string | undefined): string | undefined {
  return authorization?.replace(/^Bearer /, "");
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function readVersion(value: string | undefined): string | undefined {
  if (value === undefined) return "unknown";
  if (isAscii(value)) return value;
  try {
    return utf8.decode(Buffer.from(value, "latin1"));
  } catch {
    return undefined;
  }
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}

const TIMEOUT_UNITS_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Milliseconds; at most 8 digits and a unit, as gRPC writes a timeout. */
function readTimeout(value: string | undefined): number | undefined | EtcdError {
  if (value === undefined) return undefined;
  const fault = timeoutFault(value);
  if (fault !== undefined) return new EtcdError("MalformedRequest", fault);
  return Number(value.slice(0, -1)) * (TIMEOUT_UNITS_MS[value.slice(-1)] as number);
}

/** What is wrong with the text of a timeout, as grpc-go says it; undefined: nothing. */
export function timeoutFault(value: string): string | undefined {
  const of = (what: string) => `malformed grpc-timeout: transport: ${what}: ${JSON.stringify(value)}`;
  if (value.length < 2) return of("timeout string is too short");
  if (value.length > 9) return of("timeout string is too long");
  if (TIMEOUT_UNITS_MS[value.slice(-1)] === undefined) return of("timeout unit is not recognized");
  const digits = value.slice(0, -1);
  if (/^\d+$/.test(digits)) return undefined;
  return `malformed grpc-timeout: strconv.ParseUint: parsing ${JSON.stringify(digits)}: invalid syntax`;
}

/** gzip is what etcd takes; another encoding is refused before a message comes. */
function encodingRefusal(encoding: string | undefined): EtcdError | undefined {
  if (encoding === undefined || encoding === "identity" || encoding === "gzip" || encoding === "") return undefined;
  return new EtcdError(
    "Unimplemented",
    `grpc: Decompressor is not installed for grpc-encoding ${JSON.stringify(encoding)}`,
  );
}
