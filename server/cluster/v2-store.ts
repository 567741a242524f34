/**
 * The members as etcd's old store (v2) has them, which is what the data of a raft snapshot is in etcd's protocol: the tree
 * of that store as JSON. A member of etcd 3.6 stops on anything else; 3.7 and we take everything from the store itself.
 *
 *     /0/members/<hex id>/raftAttributes   {"peerURLs":[...],"isLearner":true}
 *     /0/members/<hex id>/attributes       {"name":"...","clientURLs":[...]}
 *     /0/removed_members/<hex id>
 *     /0/version
 */
import { utf8Bytes, utf8Text } from "../base/bytes.ts";
import { memberIdText } from "../base/int64.ts";
import { writeJsonWithIds } from "../base/json-ids.ts";
import type { ReadView } from "../ports/backend.ts";
import { decodeMember, type MemberRecord } from "./membership.ts";

export interface V2Members {
  readonly members: readonly MemberRecord[];
  /** As the hex text of each. */
  readonly removed: readonly string[];
  /** "3.7.0"; undefined: not decided. */
  readonly clusterVersion: string | undefined;
}

/** Out of the buckets of one commit. Throws `SyntaxError` on a member that is not etcd's JSON. */
export function v2MembersOf(view: ReadView): V2Members {
  const members: MemberRecord[] = [];
  view.scanAbove("members", undefined, (_, value) => {
    members.push(decodeMember(utf8Text(value)));
    return true;
  });
  const removed: string[] = [];
  view.scanAbove("members_removed", undefined, (key) => {
    removed.push(utf8Text(key));
    return true;
  });
  const version = view.get("cluster", utf8Bytes("clusterVersion"));
  return { members, removed, clusterVersion: version === undefined ? undefined : utf8Text(version) };
}

/** The JSON that etcd's store writes and reads. Indexes inside mean nothing any more, and times are "never". */
export function encodeV2Store({ members, removed, clusterVersion }: V2Members): Uint8Array {
  const memberNodes = members.map(
    ({ id, name, peerUrls, clientUrls, isLearner }) =>
      [
        memberIdText(id),
        {
          raftAttributes: writeJsonWithIds({ peerURLs: peerUrls, isLearner: isLearner || undefined }),
          attributes: writeJsonWithIds({
            name: name || undefined,
            clientURLs: clientUrls.length === 0 ? undefined : clientUrls,
          }),
        },
      ] as const,
  );
  const tree: Tree = {
    "0": {
      members: Object.fromEntries(memberNodes),
      removed_members: Object.fromEntries(removed.map((id) => [id, "removed"])),
      ...(clusterVersion === undefined ? {} : { version: clusterVersion }),
    },
    "1": {},
  };
  const text = JSON.stringify({ Root: nodeOf("/", tree), CurrentIndex: 0, CurrentVersion: 2 });
  return utf8Bytes(text);
}

/** A value, or what lies under a name. */
interface Tree {
  readonly [name: string]: Tree | string;
}

interface V2Node {
  readonly Path: string;
  readonly CreatedIndex: number;
  readonly ModifiedIndex: number;
  readonly ExpireTime: string;
  readonly Value: string;
  /** null: it is no folder. */
  readonly Children: Readonly<Record<string, V2Node>> | null;
}

const NEVER = "0001-01-01T00:00:00Z";

function nodeOf(path: string, content: Tree | string): V2Node {
  const isValue = typeof content === "string";
  const inside = path === "/" ? "" : path;
  const children = isValue
    ? null
    : Object.fromEntries(
        Object.entries(content).map(([name, below]) => [name, nodeOf(`${inside}/${name}`, below)] as const),
      );
  return {
    Path: path,
    CreatedIndex: 0,
    ModifiedIndex: 0,
    ExpireTime: NEVER,
    Value: isValue ? content : "",
    Children: children,
  };
}
