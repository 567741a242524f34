/** What every HTTP adapter asks before a request is answered: its target, its host, the page that it comes from. */
import type { OpsAnswer, OpsLog } from "./ops.ts";

/** Who may ask, and which pages may read the answers: `--host-whitelist` and `--cors`. */
export interface Access {
  /** Empty or "*" among them: every name. Not asked on TLS. */
  readonly hosts: readonly string[];
  /** Empty or "*" among them: every origin. */
  readonly origins: readonly string[];
}

export interface Target {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly host: string | undefined;
}

/** Path, query and, in an absolute target, host; undefined when it cannot be read. */
export function targetOf(url: string): Target | undefined {
  const match = /^(?:https?:\/\/([^/?]*))?([^?]*)(?:\?(.*))?$/is.exec(url);
  if (match === null) return undefined;
  try {
    const path = decodeURIComponent(match[2] || "/");
    // Go reads past a pair with ";" in it, which once parted pairs.
    const pairs = (match[3] ?? "").split("&").filter((pair) => !pair.includes(";"));
    return { path, query: new URLSearchParams(pairs.join("&")), host: match[1] };
  } catch {
    return undefined;
  }
}

/**
 * A page may point any name at 127.0.0.1 and have the reader's browser ask us (CVE-2018-5702); it cannot choose the
 * Host header.
 */
export function checkHost(
  asked: { readonly host: string; readonly secure: boolean },
  { hosts }: Access,
  log: OpsLog,
): OpsAnswer | undefined {
  if (hosts.length === 0 || hosts.includes("*") || asked.secure) return undefined;
  const host = asked.host.replace(/:\d*$/, "").replace(/^\[(.*)\]$/, "$1");
  if (hosts.includes(host)) return undefined;
  log.warn("rejecting HTTP request to prevent DNS rebinding attacks", { host });
  const body =
    `The Host header "${host}" is not one that this server answers to. ` +
    `Use TLS, or add it: --host-whitelist=${JSON.stringify(host)}.\n`;
  return {
    status: 421,
    headers: [
      ["Content-Type", "text/plain; charset=utf-8"],
      ["X-Content-Type-Options", "nosniff"],
    ],
    body,
  };
}

/** What tells a browser that the page may read the answer. */
export function corsHeaders(origin: string, { origins }: Access): OpsAnswer["headers"] {
  const all = origins.length === 0 || origins.includes("*");
  if (!all && !origins.includes(origin)) return [];
  return [
    ["Access-Control-Allow-Headers", "accept, content-type, authorization"],
    ["Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE"],
    ["Access-Control-Allow-Origin", all ? "*" : origin],
  ];
}
