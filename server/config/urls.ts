/**
 * Addresses as flags give them: http, https, unix and unixs. Not read by WHATWG URL rules, which would drop a port of
 * 80 and add a path; etcd keeps the text, and cluster ids are made from it.
 */
import { isIP } from "node:net";

export interface Address {
  /** As given, the scheme in lower case: what is advertised and what ids are made of. */
  readonly url: string;
  readonly scheme: "http" | "https" | "unix" | "unixs";
  /** Without brackets; "" for a socket file. */
  readonly host: string;
  /** 0: any free one. 0 also for a socket file. */
  readonly port: number;
  /** The socket file, "" for TCP. */
  readonly path: string;
}

/** Longest path of a socket file that Linux takes. */
const MAX_SOCKET_PATH_BYTES = 107;

/** Whether TLS is spoken on it. */
export function isSecure(address: Address): boolean {
  return address.scheme === "https" || address.scheme === "unixs";
}

/** The address in `text`; throws an Error with etcd's words for what is wrong and what to write instead. */
export function parseAddress(text: string): Address {
  const match = /^([a-zA-Z][a-zA-Z0-9+.-]*):(.*)$/s.exec(text);
  const scheme = match?.[1]?.toLowerCase();
  const rest = match?.[2] ?? "";
  switch (scheme) {
    case "http":
    case "https":
      return tcpAddress(text, scheme, rest);
    case "unix":
    case "unixs":
      return socketAddress(text, scheme, rest);
    default:
      throw new Error(`URL scheme must be http, https, unix, or unixs: ${text}${schemeHint(text)}`);
  }
}

function schemeHint(text: string): string {
  return /^[^/:]+:\d+$/.test(text) ? ` (write http://${text})` : "";
}

function tcpAddress(text: string, scheme: "http" | "https", rest: string): Address {
  const match = /^\/\/([^/?#]*)([^?#]*)(.*)$/s.exec(rest);
  const authority = match?.[1] ?? "";
  const hostPort = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d*)$/.exec(authority.slice(authority.indexOf("@") + 1));
  if (match === null || hostPort === null) throw new Error(`URL address does not have the form "host:port": ${text}`);
  if (match[2] !== "") throw new Error(`URL must not contain a path: ${text}`);
  if (match[3] !== "") throw new Error(`URL must not contain a query or fragment: ${text}`);
  if (authority.includes("@")) throw new Error(`URL must not contain a user: ${text}`);
  const port = Number(hostPort[3] === "" ? "0" : hostPort[3]);
  if (port > 65535) throw new Error(`port ${port} is above 65535: ${text}`);
  return { url: `${scheme}:${rest}`, scheme, host: hostPort[1] ?? hostPort[2] ?? "", port, path: "" };
}

function socketAddress(text: string, scheme: "unix" | "unixs", rest: string): Address {
  const path = rest.startsWith("//") ? rest.slice(2) : rest.startsWith("/") ? rest : "";
  if (path === "") throw new Error(`URL must name a socket file, such as ${scheme}:///run/etcd.sock: ${text}`);
  const bytes = new TextEncoder().encode(path).length;
  if (bytes > MAX_SOCKET_PATH_BYTES) {
    throw new Error(`path of a socket file is ${bytes} bytes and may be ${MAX_SOCKET_PATH_BYTES}: ${text}`);
  }
  return { url: `${scheme}:${rest}`, scheme, host: "", port: 0, path };
}

/** The addresses of a comma-separated list, each once, in the order of their text (as etcd keeps them). */
export function parseUrls(text: string): readonly Address[] {
  if (text === "") return [];
  const byUrl = new Map<string, Address>();
  for (const part of text.split(",")) {
    const address = parseAddress(part.trim());
    byUrl.set(address.url, address);
  }
  return [...byUrl.values()].sort((left, right) => (left.url < right.url ? -1 : 1));
}

/** The addresses of a list as text. */
export function urlTexts(addresses: readonly Address[]): string[] {
  return addresses.map((address) => address.url);
}

/** Throws when a socket cannot be opened on an address: listening needs an IP, or localhost. */
export function checkBindable(addresses: readonly Address[]): void {
  for (const { url, host, path } of addresses) {
    if (path !== "" || host === "localhost" || isIP(host) !== 0) continue;
    throw new Error(`expected IP in URL for binding (${url})`);
  }
}

/** Throws when nobody could connect to an address. */
export function checkReachable(addresses: readonly Address[]): void {
  for (const { url, host, path } of addresses) {
    if (path === "" && host === "") throw new Error(`unexpected empty host (${url})`);
  }
}

/**
 * Peer URLs by name of "a=http://10.0.0.1:2380,b=http://10.0.0.2:2380"; a name with several URLs comes several times.
 * Throws an Error that quotes the part that is wrong.
 */
export function parseInitialCluster(text: string): ReadonlyMap<string, readonly string[]> {
  const members = new Map<string, string[]>();
  for (const part of text.split(",")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    if (equals < 1) throw new Error(`"${part}" does not have the form name=URL`);
    const name = part.slice(0, equals);
    const urls = members.get(name) ?? [];
    urls.push(parseAddress(part.slice(equals + 1).trim()).url);
    members.set(name, urls.sort());
  }
  return members;
}

/** The members as `--initial-cluster` writes them, in the order of that text. */
export function initialClusterText(members: ReadonlyMap<string, readonly string[]>): string {
  const pairs = [...members].flatMap(([name, urls]) => urls.map((url) => `${name}=${url}`));
  return pairs.sort().join(",");
}
