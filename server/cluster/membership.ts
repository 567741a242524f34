/**
 * Who is in the cluster, who has left it for good, and the version they agreed on. The one store of membership: raft's
 * configuration and the API's member list both follow from it. Kept in the buckets `members` (hex id -> JSON),
 * `members_removed` and `cluster`, written in the same batch as the entry that changed it.
 */
import { assert } from "../base/assert.ts";
import { EMPTY_BYTES, utf8Bytes, utf8Text } from "../base/bytes.ts";
import { memberIdText } from "../base/int64.ts";
import { asId, parseJsonWithIds, writeJsonWithIds } from "../base/json-ids.ts";
import type { Backend, BackendReader } from "../ports/backend.ts";

/** One member. `name` and `clientUrls` are empty until it has started and published them. */
export interface MemberRecord {
  readonly id: bigint;
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

const CLUSTER_VERSION_KEY = utf8Bytes("clusterVersion");
const DOWNGRADE_KEY = utf8Bytes("downgrade");
const REMOVED_VALUE = utf8Bytes("removed");

export class Membership {
  readonly #backend: Backend;
  readonly #members = new Map<bigint, MemberRecord>();
  readonly #removed = new Set<bigint>();
  #clusterVersion: string | undefined;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** Reads what is stored, here or (`from`) in another store. Throws `SyntaxError` on a record that is not etcd's JSON. */
  restore(from: BackendReader = this.#backend): void {
    this.#members.clear();
    this.#removed.clear();
    from.scan("members", EMPTY_BYTES, undefined, (_key, value) => {
      const { isPromote: _ofChangesOnly, ...member } = decodeMember(utf8Text(value));
      this.#members.set(member.id, member);
      return true;
    });
    from.scan("members_removed", EMPTY_BYTES, undefined, (key) => {
      this.#removed.add(BigInt(`0x${utf8Text(key)}`));
      return true;
    });
    const version = from.get("cluster", CLUSTER_VERSION_KEY);
    this.#clusterVersion = version === undefined ? undefined : utf8Text(version);
  }

  /** "X.Y.0", the lowest version among the members; undefined until the first leader has decided. */
  get clusterVersion(): string | undefined {
    return this.#clusterVersion;
  }

  /** In rising order of ids, as etcd lists them. */
  list(): MemberRecord[] {
    return [...this.#members.values()].sort((left, right) => (left.id < right.id ? -1 : 1));
  }

  get(id: bigint): MemberRecord | undefined {
    return this.#members.get(id);
  }

  isRemoved(id: bigint): boolean {
    return this.#removed.has(id);
  }

  add(member: MemberRecord): void {
    assert(!this.#removed.has(member.id), "a removed id never comes back");
    this.#store(member);
  }

  remove(id: bigint): void {
    this.#members.delete(id);
    this.#removed.add(id);
    const key = utf8Bytes(memberIdText(id));
    this.#backend.delete("members", key);
    this.#backend.put("members_removed", key, REMOVED_VALUE);
  }

  /** What a member says of itself after it has started. Unknown and removed members are ignored, as in etcd. */
  setAttributes(id: bigint, name: string, clientUrls: readonly string[]): void {
    const member = this.#members.get(id);
    if (member !== undefined) this.#store({ ...member, name, clientUrls: [...clientUrls] });
  }

  setPeerUrls(id: bigint, peerUrls: readonly string[]): void {
    const member = this.#members.get(id);
    if (member !== undefined) this.#store({ ...member, peerUrls: [...peerUrls] });
  }

  /** A learner becomes a voter. */
  promote(id: bigint): void {
    const member = this.#members.get(id);
    if (member !== undefined) this.#store({ ...member, isLearner: false });
  }

  setClusterVersion(version: string): void {
    this.#clusterVersion = version;
    this.#backend.put("cluster", CLUSTER_VERSION_KEY, utf8Bytes(version));
  }

  setDowngrade(enabled: boolean, targetVersion: string): void {
    const value = { "target-version": targetVersion, enabled };
    this.#backend.put("cluster", DOWNGRADE_KEY, utf8Bytes(writeJsonWithIds(value)));
  }

  #store(member: MemberRecord): void {
    this.#members.set(member.id, member);
    this.#backend.put("members", utf8Bytes(memberIdText(member.id)), utf8Bytes(encodeMember(member)));
  }
}

/** A member as etcd's JSON has it: in the bucket, at `/members`, and as the context of a change (of a promotion too). */
export function encodeMember(member: MemberRecord, isPromote = false): string {
  return writeJsonWithIds({
    id: member.id,
    peerURLs: member.peerUrls,
    isLearner: member.isLearner || undefined,
    name: member.name || undefined,
    clientURLs: member.clientUrls.length === 0 ? undefined : member.clientUrls,
    isPromote: isPromote || undefined,
  });
}

/** Reverse of `encodeMember`; tells also whether a configuration change is a promotion. Throws `SyntaxError`. */
export function decodeMember(text: string): MemberRecord & { readonly isPromote: boolean } {
  const value = parseJsonWithIds(text) as Record<string, unknown>;
  return {
    id: asId(value["id"]),
    name: typeof value["name"] === "string" ? value["name"] : "",
    peerUrls: asTexts(value["peerURLs"]),
    clientUrls: asTexts(value["clientURLs"]),
    isLearner: value["isLearner"] === true,
    isPromote: value["isPromote"] === true,
  };
}

function asTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}
