/**
 * What every request between members carries and is checked for: who asks, of which cluster, and whether both versions
 * can work together. Names, codes and texts are etcd's: a member of etcd acts on them.
 */
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { memberIdText } from "../base/int64.ts";

/** Who we are. */
export interface Identity {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  /** Our peer URLs: somebody who does not know us yet answers there. */
  readonly peerUrls: readonly string[];
  /** Version of etcd that we speak: "3.7.3". */
  readonly serverVersion: string;
  /** The oldest that we work with: "3.0.0". */
  readonly minClusterVersion: string;
}

export const INCOMPATIBLE_VERSION = "incompatible version";
export const CLUSTER_ID_MISMATCH = "cluster ID mismatch";
export const REMOVED_MEMBER = "cannot process message from removed member";
export const WRONG_MEMBER = "cannot process message to mismatch member";

/** Header names as etcd writes them; Node reads them in lower case. */
export function requestHeaders(identity: Identity): Record<string, string> {
  return {
    "X-Server-From": memberIdText(identity.memberId),
    "X-Server-Version": identity.serverVersion,
    "X-Min-Cluster-Version": identity.minClusterVersion,
    "X-Etcd-Cluster-ID": memberIdText(identity.clusterId),
    "X-PeerURLs": identity.peerUrls.join(","),
  };
}

/** A refusal: what goes back, and what our log says. */
export interface Refusal {
  readonly status: number;
  readonly text: string;
  readonly reason: string;
}

/** Why a request with these headers is not answered; undefined: it may be. */
export function refusalOf(headers: IncomingHttpHeaders, identity: Identity): Refusal | undefined {
  const server = headerOf(headers, "x-server-version") ?? "2.0.0"; // as etcd takes one without the header
  const minCluster = headerOf(headers, "x-min-cluster-version") ?? "2.0.0";
  const from = headerOf(headers, "x-server-from") ?? "";
  const versions = versionProblem({ server, minCluster }, identity);
  if (versions !== undefined)
    return { status: 412, text: INCOMPATIBLE_VERSION, reason: `member "${from}": ${versions}` };
  const clusterId = headerOf(headers, "x-etcd-cluster-id") ?? "";
  const ours = memberIdText(identity.clusterId);
  if (clusterId === ours) return undefined;
  const reason = `member "${from}" is of cluster "${clusterId}", and this is cluster "${ours}"`;
  return { status: 412, text: CLUSTER_ID_MISMATCH, reason };
}

/** Compared by major and minor number alone. */
function versionProblem(
  theirs: { readonly server: string; readonly minCluster: string },
  ours: Identity,
): string | undefined {
  const server = minorVersion(theirs.server);
  const minCluster = minorVersion(theirs.minCluster);
  if (server === undefined) return `its version "${theirs.server}" is not one like "3.7.0"`;
  if (minCluster === undefined) return `its oldest version "${theirs.minCluster}" is not one like "3.0.0"`;
  if (server < (minorVersion(ours.minClusterVersion) ?? 0))
    return `its version "${theirs.server}" is older than "${ours.minClusterVersion}"; upgrade it`;
  if (minCluster > (minorVersion(ours.serverVersion) ?? 0))
    return `it works with "${theirs.minCluster}" and newer, and this is "${ours.serverVersion}"; upgrade this member`;
  return undefined;
}

const VERSION = /^(\d{1,6})\.(\d{1,6})\.\d+(?:[-+].*)?$/;

/** Major and minor as one number that grows with them; undefined: no semantic version. */
function minorVersion(text: string): number | undefined {
  const [, major, minor] = VERSION.exec(text) ?? [];
  return major === undefined ? undefined : Number(major) * 1_000_000 + Number(minor);
}

/** One value of a header; undefined when it is missing or empty. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  const text = Array.isArray(value) ? value[0] : value;
  return text === "" ? undefined : text;
}

/** An id in hex, as paths and headers have it; undefined when it is none. */
export function parseId(text: string | undefined): bigint | undefined {
  return text !== undefined && /^[0-9a-fA-F]{1,16}$/.test(text) ? BigInt(`0x${text}`) : undefined;
}

/** Answers with plain text and a line end, as Go's server does. */
export function answerText(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = `${text}\n`;
  response.writeHead(status, {
    "Content-Type": "text/plain; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
    "Content-Length": Buffer.byteLength(body),
  });
  response.end(body);
}

/** Answers as etcd does where its handlers have an error of their own. */
export function answerJsonError(response: ServerResponse, status: number, message: string): void {
  const body = JSON.stringify({ message });
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}

export function answerWrongMethod(response: ServerResponse, allowed: string): void {
  response.setHeader("Allow", allowed);
  answerText(response, 405, "Method Not Allowed");
}
