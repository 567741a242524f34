/**
 * Who is who. Two clusters under one name, objects of somebody else, or members of whom nothing is left: whatever was
 * done then could make it worse, so nothing is.
 */
import { LABELS, serialOf } from "../../api/names.ts";
import { type Decision, stalled } from "../decision.ts";
import type { View } from "../view.ts";

export function identity(view: View): Decision | undefined {
  return mismatch(view) ?? foreignObject(view) ?? orphanedVolumes(view) ?? allLost(view);
}

function mismatch(view: View): Decision | undefined {
  const ids = new Map<string, string>();
  if (view.status.clusterID !== undefined) ids.set(view.status.clusterID, "the status");
  for (const member of view.members) {
    const own = member.claim?.clusterId;
    if (own !== undefined && !ids.has(own)) ids.set(own, `claim ${member.claim?.name}`);
  }
  const list = view.foreignList ?? view.list;
  if (list !== undefined && !ids.has(list.clusterId)) ids.set(list.clusterId, "the member list");
  for (const [name, asked] of view.seen.etcd?.members ?? [])
    if (asked.status !== undefined && !ids.has(asked.status.clusterId)) ids.set(asked.status.clusterId, name);
  if (ids.size < 2) return undefined;
  const found = [...ids].map(([id, where]) => `${id} (${where})`).join(", ");
  return stalled(
    "ClusterIDMismatch",
    `more than one cluster id: ${found}. Nothing is touched; see which member holds the data that is wanted`,
  );
}

function foreignObject(view: View): Decision | undefined {
  const { name, uid } = view.cluster.metadata;
  const pod = view.seen.pods.find(
    (one) => one.ownerUid !== uid && serialOf(name, one.name) !== undefined && one.labels[LABELS.cluster] === name,
  );
  if (pod !== undefined)
    return stalled(
      "ForeignObject",
      `Pod ${pod.name} is controlled by somebody else: delete it, or name this cluster otherwise`,
    );
  for (const [key, child] of view.seen.children)
    if (child.ownerUid !== undefined && child.ownerUid !== uid)
      return stalled(
        "ForeignObject",
        `${key} is controlled by somebody else: delete it, or name this cluster otherwise`,
      );
  return undefined;
}

/** Volumes of an earlier cluster of this name hold data that nobody has said may be lost or used. */
function orphanedVolumes(view: View): Decision | undefined {
  if (view.isBorn) return undefined;
  const orphans = view.seen.claims.filter(
    (claim) => claim.clusterUid !== view.cluster.metadata.uid && claim.state !== "retired",
  );
  if (orphans.length === 0) return undefined;
  const names = orphans
    .slice(0, 5)
    .map((claim) => claim.name)
    .join(", ");
  return stalled(
    "OrphanedVolumes",
    `claims of an earlier cluster of this name are there: ${names}. Delete them, or name this cluster otherwise`,
  );
}

/** Forming a new cluster under the old name would hand clients an empty store. */
function allLost(view: View): Decision | undefined {
  if (!view.isBorn || view.list !== undefined) return undefined;
  const left = view.members.filter(
    (member) => member.pod !== undefined || (member.claim !== undefined && member.claim.phase !== "Lost"),
  );
  if (left.length > 0) return undefined;
  return stalled(
    "AllMembersLost",
    `nothing is left of the members of cluster ${view.clusterId ?? ""}: restore it from a backup under another name, or delete this object`,
  );
}
