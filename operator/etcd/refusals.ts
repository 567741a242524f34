/**
 * Why a member refused, read from the end of a call: gRPC's code and etcd's exact text. Only what etcd itself has said
 * before it did anything is a refusal of a kind; all else may have been carried out, and is `unknown`.
 */
import type { CallStatus } from "../../server/client/call-status.ts";
import { EtcdRefusal, type RefusalKind } from "./etcd-admin.ts";

/** gRPC's codes that need no text. */
const UNAUTHENTICATED = 16;
const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;

/** Longer texts are cut: they go into a status that people read. */
const MAX_TEXT = 300;

/**
 * etcd's texts (rpctypes). Not here on purpose: "request timed out ...", "leader changed" and "server stopped", which
 * end a call whose entry may be in the log already.
 */
const KINDS: ReadonlyMap<string, RefusalKind> = new Map([
  ["etcdserver: unhealthy cluster", "unhealthy"],
  ["etcdserver: re-configuration failed due to not enough started members", "unhealthy"],
  ["etcdserver: can only promote a learner member which is in sync with leader", "not-ready"],
  ["etcdserver: rpc not supported for learner", "learner"],
  ["etcdserver: no leader", "no-leader"],
  ["etcdserver: member not found", "not-found"],
  ["etcdserver: member ID already exist", "already-there"],
  ["etcdserver: Peer URLs already exists", "already-there"],
  ["etcdserver: can only promote a learner member", "already-there"],
  ["etcdserver: too many learner members in cluster", "too-many-learners"],
  ["etcdserver: permission denied", "denied"],
  ["etcdserver: invalid auth token", "denied"],
  ["etcdserver: user name is empty", "denied"],
  ["etcdserver: root user does not exist", "denied"],
  ["etcdserver: not leader", "other"],
  ["etcdserver: bad leader transferee", "other"],
  ["etcdserver: given member URLs are invalid", "other"],
  ["etcdserver: cluster ID mismatch", "other"],
  ["etcdserver: not capable", "other"],
  ["etcdserver: corrupt cluster", "other"],
  ["etcdserver: mvcc: database space exceeded", "other"],
  ["etcdserver: too many requests", "other"],
]);

/** The refusal that a call's end means. */
export function refusalOf({ code, text }: Pick<CallStatus, "code" | "text">): EtcdRefusal {
  return new EtcdRefusal(kindOf(code, text), shortened(text === "" ? `gRPC code ${code}` : text));
}

function kindOf(code: number, text: string): RefusalKind {
  const known = KINDS.get(text);
  if (known !== undefined) return known;
  if (code === UNAUTHENTICATED || code === PERMISSION_DENIED) return "denied";
  if (code === UNIMPLEMENTED) return "other";
  return "unknown";
}

function shortened(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT)}...` : line;
}
