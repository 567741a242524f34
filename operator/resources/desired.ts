/** Objects as we want them: what the API server adds, and what others may own, is not there. */
import type { Text } from "../api/etcd-cluster.ts";

// Types, not interfaces: they are read as plain records, too.

export type DesiredOwner = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller: true;
  readonly blockOwnerDeletion: true;
};

export type DesiredMeta = {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Text;
  readonly annotations?: Text;
  readonly ownerReferences?: readonly DesiredOwner[];
};

/** An object with a spec. */
export type Desired<Spec = Readonly<Record<string, unknown>>> = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: DesiredMeta;
  readonly spec: Spec;
};

/** A ConfigMap. */
export type DesiredMap = {
  readonly apiVersion: "v1";
  readonly kind: "ConfigMap";
  readonly metadata: DesiredMeta;
  readonly data: Text;
};

type Given<Fields> = { readonly [Key in keyof Fields]?: Exclude<Fields[Key], undefined> };

/**
 * `fields` without those that are undefined: what nobody asked for is not written, so that defaults and others may fill
 * it in.
 */
export function given<Fields extends object>(fields: Fields): Given<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Given<Fields>;
}

/** The list, or nothing when it is empty or absent. */
export function listed<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list;
}
