/** Services, ServiceAccount and whatever else hangs on the cluster: made, mended, and taken away when no longer wanted. */
import { ANNOTATIONS } from "../../api/names.ts";
import { canonicalJson } from "../../resources/canonical.ts";
import { shortHash } from "../../resources/short-hash.ts";
import type { Desired } from "../action.ts";
import { acting, type Decision } from "../decision.ts";
import type { ChildFacts } from "../observation.ts";
import { hasAll } from "../same.ts";
import type { View } from "../view.ts";

/** Kinds that are taken away here when nothing wants them; budgets and ConfigMaps have steps of their own. */
const SWEPT: readonly string[] = ["Service", "ServiceAccount", "Certificate"];

export function children(view: View): Decision | undefined {
  const wanted = view.builders.children(view.cluster).map(stamped);
  for (const object of wanted) {
    const key = keyOf(object);
    if (wasRefused(view, key)) continue;
    if (hasDrifted(view.seen.children.get(key), object))
      return acting({ kind: "apply-child", object }, `${key} is applied`);
  }
  const keys = new Set(wanted.map(keyOf));
  for (const [key, child] of view.seen.children)
    if (!keys.has(key) && SWEPT.includes(key.split("/")[0] ?? "") && child.ownerUid === view.cluster.metadata.uid)
      return acting({ kind: "delete-child", child: key, uid: child.uid }, `${key} is no longer wanted`);
  return undefined;
}

/** What the API server would not take is tried again when nothing else is left to do. */
export function refusedChildren(view: View): Decision | undefined {
  if (view.seen.refusals === undefined) return undefined;
  for (const object of view.builders.children(view.cluster).map(stamped)) {
    const key = keyOf(object);
    if (!wasRefused(view, key) || !hasDrifted(view.seen.children.get(key), object)) continue;
    return acting({ kind: "apply-child", object }, `${key} is applied once more`, { againInMs: 30_000 });
  }
  return undefined;
}

function wasRefused(view: View, key: string): boolean {
  return view.seen.refusals?.has(key) === true;
}

/** What was stamped before, by the object itself: builders that remember give the same one again. */
const STAMPED = new WeakMap<Desired, Desired>();

/** Carries the hash of all that was wanted: a field that was dropped from the wish is then seen, too. */
export function stamped(object: Desired): Desired {
  const known = STAMPED.get(object);
  if (known !== undefined) return known;
  const annotations = (object.metadata["annotations"] ?? {}) as Readonly<Record<string, string>>;
  const hash = shortHash(canonicalJson(object));
  const made = {
    ...object,
    metadata: { ...object.metadata, annotations: { ...annotations, [ANNOTATIONS.appliedHash]: hash } },
  };
  STAMPED.set(object, made);
  return made;
}

export function keyOf(object: Desired): string {
  return `${object.kind}/${object.metadata.name}`;
}

/** For which wish an object was last found to have all: objects are read once for each of their versions. */
const AGREED = new WeakMap<object, Desired>();

/** Missing, changed by somebody, or made for another wish. Items of a list say nothing of their kind, so it is not asked. */
export function hasDrifted(found: ChildFacts | undefined, wanted: Desired): boolean {
  if (found === undefined) return true;
  if (AGREED.get(found.object) === wanted) return false;
  const { apiVersion: _version, kind: _kind, ...content } = wanted;
  if (!hasAll(found.object, content)) return true;
  AGREED.set(found.object, wanted);
  return false;
}
