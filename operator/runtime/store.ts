/**
 * The objects of a kind as a watch has brought them, found by key and by what functions say of them. What it holds may
 * be old; what it hands out is shared, and read only.
 */
import type { Key, KubeObject } from "./kube.ts";

/** Values under which an object is found; none: not by this index. */
export type IndexFunction<T extends KubeObject> = (object: T) => readonly string[];

/** What became of one object. `before` is what was held until now. */
export type StoreChange<T extends KubeObject> =
  | { readonly type: "added"; readonly object: T }
  | { readonly type: "modified"; readonly object: T; readonly before: T }
  | { readonly type: "deleted"; readonly object: T };

/** Looking only: what everybody but the reflector gets. */
export interface StoreReader<T extends KubeObject> {
  readonly size: number;
  get(key: Key): T | undefined;
  list(): readonly T[];
  /** Objects of which the function of this name gave this value, by key. */
  byIndex(index: string, value: string): readonly T[];
}

interface Index<T extends KubeObject> {
  readonly valuesOf: IndexFunction<T>;
  readonly keys: Map<string, Set<string>>;
}

export class Store<T extends KubeObject> implements StoreReader<T> {
  readonly #objects = new Map<string, T>();
  readonly #indexes: ReadonlyMap<string, Index<T>>;

  constructor(indexes: Readonly<Record<string, IndexFunction<T>>> = {}) {
    this.#indexes = new Map(Object.entries(indexes).map(([name, valuesOf]) => [name, { valuesOf, keys: new Map() }]));
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: Key): T | undefined {
    return this.#objects.get(keyText(key));
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  byIndex(index: string, value: string): readonly T[] {
    const found = this.#indexes.get(index);
    if (found === undefined) throw new RangeError(`there is no index "${index}": name it when the store is made`);
    return [...(found.keys.get(value) ?? [])].sort().map((key) => this.#objects.get(key) as T);
  }

  /** Puts one in. Another object under the same name, by its uid, is the old one's end and the new one's beginning. */
  put(object: T): readonly StoreChange<T>[] {
    const key = keyText(object.metadata);
    const before = this.#objects.get(key);
    if (before !== undefined && before.metadata.resourceVersion === object.metadata.resourceVersion) return [];
    this.#unindex(key, before);
    this.#objects.set(key, object);
    for (const index of this.#indexes.values()) for (const value of index.valuesOf(object)) add(index.keys, value, key);
    if (before === undefined) return [{ type: "added", object }];
    if (before.metadata.uid === object.metadata.uid) return [{ type: "modified", object, before }];
    return [
      { type: "deleted", object: before },
      { type: "added", object },
    ];
  }

  /** Takes one out. The change shows `last`, its last state, when that is known. */
  remove(key: Key, last?: T): readonly StoreChange<T>[] {
    const text = keyText(key);
    const before = this.#objects.get(text);
    if (before === undefined) return [];
    this.#unindex(text, before);
    this.#objects.delete(text);
    return [{ type: "deleted", object: last ?? before }];
  }

  /** Holds exactly these from now on; tells what is different. */
  replace(objects: readonly T[]): readonly StoreChange<T>[] {
    const kept = new Set(objects.map((object) => keyText(object.metadata)));
    const gone = [...this.#objects.values()].filter((object) => !kept.has(keyText(object.metadata)));
    return [
      ...gone.flatMap((object) => this.remove(object.metadata)),
      ...objects.flatMap((object) => this.put(object)),
    ];
  }

  #unindex(key: string, object: T | undefined): void {
    if (object === undefined) return;
    for (const { valuesOf, keys } of this.#indexes.values())
      for (const value of valuesOf(object)) drop(keys, value, key);
  }
}

/** `NAMESPACE/NAME`, or `NAME` alone. */
export function keyText({ namespace, name }: Key): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The key that `keyText` wrote. */
export function keyOf(text: string): Key {
  const slash = text.indexOf("/");
  return slash < 0 ? { name: text } : { namespace: text.slice(0, slash), name: text.slice(slash + 1) };
}

/** Finds objects by the uid of the owner that controls them. */
export function controllerUidIndex(object: KubeObject): readonly string[] {
  const owner = object.metadata.ownerReferences?.find(({ controller }) => controller === true);
  return owner === undefined ? [] : [owner.uid];
}

/** Finds objects by `NAMESPACE/VALUE` of a label: the same value in another namespace is another thing. */
export function labelIndex(label: string): IndexFunction<KubeObject> {
  return ({ metadata: { namespace, labels } }) => {
    const value = labels?.[label];
    return value === undefined ? [] : [keyText(namespace === undefined ? { name: value } : { namespace, name: value })];
  };
}

function add(keys: Map<string, Set<string>>, value: string, key: string): void {
  const set = keys.get(value);
  if (set === undefined) keys.set(value, new Set([key]));
  else set.add(key);
}

function drop(keys: Map<string, Set<string>>, value: string, key: string): void {
  const set = keys.get(value);
  set?.delete(key);
  if (set?.size === 0) keys.delete(value);
}
