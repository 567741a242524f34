/**
 * Who owns which field, and what server-side apply makes of it: structured merge, as far as our objects need it. Maps
 * are merged field by field; lists are one value, but for those in `LIST_KEYS`. A field that its only owner no longer
 * names vanishes.
 */
import { isDeepStrictEqual } from "node:util";

export type Json = Readonly<Record<string, unknown>>;

/** Paths of leaves by manager; one of an apply and one of updates by the same name are two managers. */
export type Managers = ReadonlyMap<string, ReadonlySet<string>>;

/** Lists whose items have an identity, by the names that end their path: fields of the key, or "" for plain sets. */
const LIST_KEYS: readonly (readonly [path: string, key: readonly string[]])[] = [
  ["metadata.ownerReferences", ["uid"]],
  ["metadata.finalizers", [""]],
  ["spec.ports", ["port", "protocol"]],
  ["status.conditions", ["type"]],
  ["spec.containers", ["name"]],
  ["spec.volumes", ["name"]],
];

/** Stands between the steps of a path; a step is `.field`, or `[key]` for an item of a list with identities. */
const STEP = "\u0001";

/** What an apply may name and nobody owns. */
const UNOWNED = [
  "apiVersion",
  "kind",
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "metadata.resourceVersion",
];

type Steps = readonly string[];

function listKey(steps: Steps): readonly string[] | undefined {
  const path = steps.map((step) => step.slice(1)).join(".");
  return LIST_KEYS.find(([suffix]) => path.endsWith(suffix))?.[1];
}

function itemStep(item: unknown, key: readonly string[]): string {
  if (key[0] === "") return `[${JSON.stringify(item)}`;
  const fields = item as Json;
  // The API server fills in the protocol before it looks for the key.
  return `[${JSON.stringify(key.map((field) => fields[field] ?? (field === "protocol" ? "TCP" : null)))}`;
}

function isMap(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The children of a value that is no leaf, by step. */
function children(value: unknown, steps: Steps): readonly (readonly [step: string, child: unknown])[] | undefined {
  if (isMap(value)) return Object.entries(value).map(([name, child]) => [`.${name}`, child]);
  const key = Array.isArray(value) ? listKey(steps) : undefined;
  return key && (value as readonly unknown[]).map((item) => [itemStep(item, key), item]);
}

/** Paths of all leaves; an item of a list with identities is a leaf as well, so that it can vanish as a whole. */
export function leaves(value: unknown, steps: Steps = []): Map<string, unknown> {
  const found = new Map<string, unknown>();
  const path = steps.join(STEP);
  if (UNOWNED.includes(steps.map((step) => step.slice(1)).join("."))) return found;
  const below = children(value, steps);
  if (below === undefined || (below.length === 0 && steps.length > 0)) return found.set(path, value);
  if (steps.at(-1)?.startsWith("[")) found.set(path, undefined);
  for (const [step, child] of below) for (const [at, leaf] of leaves(child, [...steps, step])) found.set(at, leaf);
  return found;
}

export interface Applied {
  readonly object: Json;
  readonly managers: Managers;
}

/** The object and its owners after `manager` has applied `wanted`, or the paths over which there is a conflict. */
export function applied(
  current: Json,
  managers: Managers,
  { wanted, manager, force }: { readonly wanted: Json; readonly manager: string; readonly force: boolean },
): Applied | { readonly conflicts: readonly string[] } {
  const mine = leaves(wanted);
  const there = leaves(current);
  const taken = [...mine].filter(
    ([path, value]) => !isDeepStrictEqual(there.get(path), value) && !isRoom(path, value, there),
  );
  const owners = new Map([...managers].map(([name, paths]) => [name, new Set(paths)]));
  const conflicts: string[] = [];
  for (const [name, paths] of owners) {
    if (name === manager) continue;
    for (const [path] of taken.filter(([at]) => paths.has(at))) {
      if (!force) conflicts.push(`${name}: ${readable(path)}`);
      paths.delete(path);
    }
  }
  if (conflicts.length > 0) return { conflicts };
  const before = managers.get(manager) ?? new Set<string>();
  owners.set(manager, new Set(mine.keys()));
  const vanished = [...before].filter((path) => ![...owners.values()].some((paths) => paths.has(path)));
  const object = structuredClone(merged(current, wanted, [])) as Json;
  // Longer paths first: an item's fields before the item.
  for (const path of vanished.sort((left, right) => right.length - left.length)) removeAt(object, path.split(STEP));
  return { object, managers: owners };
}

/** An empty map takes nothing from what is in it. */
function isRoom(path: string, value: unknown, there: ReadonlyMap<string, unknown>): boolean {
  return isMap(value) && [...there.keys()].some((at) => at.startsWith(`${path}${STEP}`));
}

/** The owners after an update by `manager` made `after` out of `before`: who changes a field takes it over. */
export function updated(before: Json, after: Json, managers: Managers, manager: string): Managers {
  const was = leaves(before);
  const is = leaves(after);
  const changed = [...is].filter(([path, value]) => !was.has(path) || !isDeepStrictEqual(was.get(path), value));
  const lost = new Set([...changed.map(([path]) => path), ...[...was.keys()].filter((path) => !is.has(path))]);
  const owners = new Map(
    [...managers].map(([name, paths]) => [name, new Set([...paths].filter((at) => !lost.has(at)))]),
  );
  owners.set(manager, new Set([...(owners.get(manager) ?? []), ...changed.map(([path]) => path)]));
  return owners;
}

function merged(current: unknown, wanted: unknown, steps: Steps): unknown {
  if (isMap(current) && isMap(wanted)) {
    const result: Record<string, unknown> = { ...current };
    for (const [name, value] of Object.entries(wanted))
      result[name] = merged(current[name], value, [...steps, `.${name}`]);
    return result;
  }
  const key = listKey(steps);
  if (key && Array.isArray(current) && Array.isArray(wanted)) {
    const items = new Map<string, unknown>(current.map((item) => [itemStep(item, key), item]));
    for (const item of wanted) {
      const step = itemStep(item, key);
      items.set(step, merged(items.get(step), item, [...steps, step]));
    }
    return [...items.values()];
  }
  return wanted;
}

/** Takes a leaf out, and the maps and lists that it leaves empty. */
function removeAt(value: unknown, steps: Steps, done: Steps = []): void {
  const [step = "", ...rest] = steps;
  if (step.startsWith("[")) {
    const items = value as unknown[];
    const key = listKey(done);
    const index =
      key === undefined || !Array.isArray(items) ? -1 : items.findIndex((item) => itemStep(item, key) === step);
    if (index < 0) return;
    if (rest.length === 0) items.splice(index, 1);
    else removeAt(items[index], rest, [...done, step]);
    return;
  }
  const fields = value as Record<string, unknown>;
  const name = step.slice(1);
  if (!isMap(fields) || !(name in fields)) return;
  if (rest.length === 0) {
    // An empty map that was named once has been filled by others.
    if (!isMap(fields[name]) || Object.keys(fields[name]).length === 0) delete fields[name];
  } else {
    removeAt(fields[name], rest, [...done, step]);
    if (children(fields[name], [...done, step])?.length === 0) delete fields[name];
  }
}

function readable(path: string): string {
  return path.replaceAll(`${STEP}[`, "[").replaceAll(STEP, "");
}

/** RFC 7386. */
export function mergePatched(target: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return patch;
  const result: Record<string, unknown> = isMap(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = mergePatched(result[name], value);
  }
  return result;
}
