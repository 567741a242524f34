/**
 * The objects of the fake API server and their history: what the real one does with versions, generations, uids,
 * finalizers, the status subresource, owners of fields, pages and old versions. Synchronous; no faults here.
 */
import { isDeepStrictEqual } from "node:util";
import type { Key, KubeObject, ListOptions, ObjectMeta, Page, Resource } from "../../operator/runtime/kube.ts";
import { KubeError } from "../../operator/runtime/kube.ts";
import { type Time, timestamp } from "../../operator/runtime/time.ts";
import { applied, type Json, type Managers, mergePatched, updated } from "./fake-apply.ts";
import { matchesFields, matchesLabels } from "./fake-selectors.ts";

/** Kinds whose `metadata.generation` the real API server does not keep. */
const WITHOUT_GENERATION = new Set(
  "configmaps secrets services serviceaccounts persistentvolumeclaims persistentvolumes events leases nodes namespaces endpoints storageclasses".split(
    " ",
  ),
);
/** Kinds that have no status of their own to write. */
const WITHOUT_STATUS = new Set(
  "configmaps secrets serviceaccounts events leases endpoints endpointslices storageclasses controllerrevisions".split(
    " ",
  ),
);

/** Changes that are remembered; older ones are compacted away. */
const MAX_HISTORY = 10_000;

interface Stored {
  readonly resource: Resource;
  readonly object: KubeObject;
  readonly managers: Managers;
}

/** One change. `before` is the object as it was, if there was one. */
export interface Change {
  readonly revision: number;
  readonly resource: Resource;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: KubeObject;
  readonly before: KubeObject | undefined;
}

/** How an update is done. */
export interface Writing {
  readonly manager?: string | undefined;
  readonly subresource?: "status" | undefined;
  readonly resourceVersion?: string | undefined;
}

export interface Deleting {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly gracePeriodSeconds?: number | undefined;
}

export class FakeObjects {
  readonly #time: Time;
  readonly #stored = new Map<string, Stored>();
  /** The same by kind: what is listed again and again is a small part of all. */
  readonly #kinds = new Map<string, Map<string, Stored>>();
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #terminating = new Set<string>();
  #history: Change[] = [];
  #revision = 1000;
  #compacted = 999;
  #uids = 0;

  constructor(time: Time) {
    this.#time = time;
  }

  /** Of the last change. */
  get revision(): number {
    return this.#revision;
  }

  get(resource: Resource, key: Key): KubeObject | undefined {
    return this.#stored.get(path(resource, key))?.object;
  }

  /** All of a kind, by namespace and name. */
  all(resource: Resource): readonly KubeObject[] {
    return this.#at(resource, this.#revision);
  }

  /** Every object of every kind. */
  everything(): readonly { readonly resource: Resource; readonly object: KubeObject }[] {
    return [...this.#stored.values()];
  }

  /** A page of what there was at `revision`, which a continue token overrides. */
  list(resource: Resource, options: ListOptions, revision = this.#revision): Page<KubeObject> {
    const from = options.continueToken === undefined ? undefined : continued(options.continueToken);
    const at = from?.revision ?? revision;
    if (at < this.#compacted)
      throw new KubeError(
        "The provided continue parameter is too old to display a consistent list result.",
        410,
        "Expired",
      );
    const rest = this.#at(
      resource,
      at,
      (object) => isIn(object, options) && (from === undefined || path(resource, object.metadata) > from.after),
    );
    const items = rest.slice(0, options.limit ?? rest.length);
    const last = items.at(-1);
    if (items.length === rest.length || last === undefined) return { items, resourceVersion: String(at) };
    const token = JSON.stringify({ revision: at, after: path(resource, last.metadata) });
    return { items, resourceVersion: String(at), continueToken: Buffer.from(token).toString("base64url") };
  }

  create(resource: Resource, given: KubeObject, writing: Writing = {}): KubeObject {
    const { metadata, ...rest } = plain(given) as unknown as KubeObject & Json;
    const at = path(resource, metadata);
    const isFinal = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(metadata.name ?? "");
    if (!isFinal) throw invalid(resource, metadata.name, `metadata.name: Invalid value: "${metadata.name}"`);
    if (resource.isNamespaced !== (metadata.namespace !== undefined))
      throw new KubeError(
        `${resource.plural} ${resource.isNamespaced ? "need a" : "have no"} namespace`,
        400,
        "BadRequest",
      );
    if (metadata.resourceVersion !== undefined)
      throw new KubeError("resourceVersion should not be set on objects to be created", 400, "BadRequest");
    this.#refuseTerminating(metadata.namespace, `${resource.plural} "${metadata.name}"`);
    if (this.#stored.has(at))
      throw new KubeError(`${resource.plural} "${metadata.name}" already exists`, 409, "AlreadyExists");
    if (hasStatus(resource)) delete (rest as Record<string, unknown>)["status"];
    const object = {
      ...rest,
      metadata: {
        ...metadata,
        uid: `00000000-0000-4000-8000-${String(++this.#uids).padStart(12, "0")}`,
        creationTimestamp: timestamp(this.#time.now()),
        ...(WITHOUT_GENERATION.has(resource.plural) ? {} : { generation: 1 }),
      },
    } as unknown as KubeObject;
    return this.#put(
      resource,
      undefined,
      object,
      updated({}, { ...rest, metadata }, new Map(), owner("update", writing)),
    );
  }

  /** JSON merge patch. */
  patch(resource: Resource, key: Key, patch: object, writing: Writing = {}): KubeObject {
    const stored = this.#found(resource, key);
    const whole = mergePatched(stored.object, plain(patch)) as unknown as KubeObject;
    const version = writing.resourceVersion ?? (patch as Partial<KubeObject>).metadata?.resourceVersion;
    return this.#update(stored, whole, { ...writing, resourceVersion: version });
  }

  /** Puts a whole object in the place of the one that is there. */
  replace(resource: Resource, object: KubeObject, writing: Writing = {}): KubeObject {
    return this.#update(this.#found(resource, object.metadata), plain(object) as unknown as KubeObject, writing);
  }

  /** Server-side apply. */
  apply(resource: Resource, given: KubeObject, force: boolean, writing: Writing): KubeObject {
    const wanted = plain(given) as unknown as KubeObject & Json;
    const stored = this.#stored.get(path(resource, wanted.metadata));
    if (stored === undefined && wanted.metadata.uid !== undefined)
      throw conflict(
        resource,
        wanted.metadata.name,
        `uid mismatch: ${wanted.metadata.uid} was named, and there is no such object`,
      );
    if (stored === undefined && writing.subresource !== undefined) throw notFound(resource, wanted.metadata.name);
    const current = stored ?? { resource, object: this.#unborn(wanted), managers: new Map() };
    const outcome = applied(current.object as unknown as Json, current.managers, {
      wanted,
      manager: owner("apply", writing),
      force,
    });
    if ("conflicts" in outcome)
      throw conflict(resource, wanted.metadata.name, `Apply failed with conflicts: ${outcome.conflicts.join(", ")}`);
    const object = outcome.object as unknown as KubeObject;
    if (stored !== undefined)
      return this.#update(
        stored,
        object,
        { ...writing, resourceVersion: wanted.metadata.resourceVersion },
        outcome.managers,
      );
    const created = this.create(resource, object, writing);
    const at = path(resource, created.metadata);
    this.#keep(at, { resource, object: created, managers: outcome.managers });
    return created;
  }

  /** Gone at once, or terminating: with finalizers, and a Pod that has a node until `finish`. */
  delete(resource: Resource, key: Key, options: Deleting): KubeObject {
    const stored = this.#found(resource, key);
    const { metadata } = stored.object;
    if (options.uid !== undefined && options.uid !== metadata.uid)
      throw conflict(
        resource,
        key.name,
        `the UID in the precondition (${options.uid}) does not match the UID in record (${metadata.uid})`,
      );
    if (options.resourceVersion !== undefined && options.resourceVersion !== metadata.resourceVersion)
      throw conflict(
        resource,
        key.name,
        `the ResourceVersion in the precondition (${options.resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion})`,
      );
    const seconds = graceSeconds(stored, options);
    if (seconds === 0 && (metadata.finalizers ?? []).length === 0) return this.#remove(stored);
    const isShorter = seconds === 0 && graceOf(metadata) !== 0;
    if (metadata.deletionTimestamp !== undefined && !isShorter) return stored.object;
    const marked = {
      ...stored.object,
      metadata: {
        ...metadata,
        deletionTimestamp: timestamp(this.#time.now() + seconds * 1000),
        deletionGracePeriodSeconds: seconds,
        ...(metadata.generation === undefined ? {} : { generation: metadata.generation + 1 }),
      },
    };
    return this.#put(resource, stored, marked, stored.managers);
  }

  /** What a kubelet does in the end with a Pod that terminates: it is gone, unless a finalizer holds it. */
  finish(resource: Resource, key: Key): void {
    const stored = this.#stored.get(path(resource, key));
    if (stored?.object.metadata.deletionTimestamp !== undefined) this.delete(resource, key, { gracePeriodSeconds: 0 });
  }

  /** From now on nothing can be created there. What is in it stays until it is deleted. */
  terminateNamespace(name: string): void {
    this.#terminating.add(name);
  }

  /** Deletes in the background what is owned by nobody who is left; says how many objects that were. */
  collectGarbage(): number {
    const uids = new Set([...this.#stored.values()].map(({ object }) => object.metadata.uid));
    const orphans = [...this.#stored.values()].filter(({ object: { metadata } }) => {
      const owners = metadata.ownerReferences ?? [];
      return owners.length > 0 && metadata.deletionTimestamp === undefined && !owners.some(({ uid }) => uids.has(uid));
    });
    for (const { resource, object } of orphans) this.delete(resource, object.metadata, {});
    return orphans.length;
  }

  /** Forgets all changes so far: watches and pages of older versions are gone. */
  compact(): void {
    this.#compacted = this.#revision;
    this.#history = [];
  }

  /** Changes after `revision`; 410 when they are no longer known. */
  since(revision: number): readonly Change[] {
    if (revision < this.#compacted)
      throw new KubeError(`too old resource version: ${revision} (${this.#compacted})`, 410, "Expired");
    return this.#history.filter((change) => change.revision > revision);
  }

  /** The oldest revision that a list or watch can begin at. */
  get oldest(): number {
    return this.#compacted;
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Managers of the fields of an object, such as `apply:kvorum.dev/operator`. */
  managers(resource: Resource, key: Key): readonly string[] {
    return [...this.#found(resource, key).managers].filter(([, paths]) => paths.size > 0).map(([name]) => name);
  }

  #update(stored: Stored, given: KubeObject, writing: Writing, managers?: Managers): KubeObject {
    const { resource, object: before } = stored;
    if (writing.subresource === "status" && !hasStatus(resource))
      throw new KubeError(`${resource.plural} have no status of their own`, 404, "UnknownPath");
    if (writing.resourceVersion !== undefined && writing.resourceVersion !== before.metadata.resourceVersion)
      throw conflict(
        resource,
        before.metadata.name,
        "the object has been modified; please apply your changes to the latest version and try again",
      );
    if (given.metadata.uid !== undefined && given.metadata.uid !== before.metadata.uid)
      throw conflict(
        resource,
        before.metadata.name,
        `Precondition failed: UID in precondition: ${given.metadata.uid}, UID in object meta: ${before.metadata.uid}`,
      );
    const after = permitted(resource, before, given, writing.subresource);
    const added = (after.metadata.finalizers ?? []).filter((name) => !before.metadata.finalizers?.includes(name));
    if (before.metadata.deletionTimestamp !== undefined && added.length > 0)
      throw invalid(
        resource,
        before.metadata.name,
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted",
      );
    const owners =
      managers ??
      updated(before as unknown as Json, after as unknown as Json, stored.managers, owner("update", writing));
    const { deletionTimestamp, finalizers = [] } = after.metadata;
    const isHeld = finalizers.length > 0 || (graceOf(after.metadata) ?? 0) !== 0;
    // Without its last finalizer it is gone at once, and not changed first.
    if (deletionTimestamp !== undefined && !isHeld) return this.#remove({ ...stored, object: after });
    return this.#put(resource, stored, after, owners);
  }

  /** Stores a new version, unless nothing is different. */
  #put(resource: Resource, before: Stored | undefined, object: KubeObject, managers: Managers): KubeObject {
    const at = path(resource, object.metadata);
    if (before !== undefined && isDeepStrictEqual(plain(before.object), plain(object))) {
      this.#keep(at, { ...before, managers });
      return before.object;
    }
    const stored = { resource, object: this.#versioned(object), managers };
    this.#keep(at, stored);
    this.#tell(before ? "MODIFIED" : "ADDED", stored, before?.object);
    return stored.object;
  }

  #keep(at: string, stored: Stored): void {
    this.#stored.set(at, stored);
    const kind = kindOf(stored.resource);
    const ofKind = this.#kinds.get(kind) ?? new Map<string, Stored>();
    this.#kinds.set(kind, ofKind.set(at, stored));
  }

  #remove(stored: Stored): KubeObject {
    const last = { ...stored, object: this.#versioned(stored.object) };
    const at = path(stored.resource, stored.object.metadata);
    this.#stored.delete(at);
    this.#kinds.get(kindOf(stored.resource))?.delete(at);
    this.#tell("DELETED", last, stored.object);
    return last.object;
  }

  #versioned(object: KubeObject): KubeObject {
    return frozen({ ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#revision) } });
  }

  #tell(type: Change["type"], { resource, object }: Stored, before: KubeObject | undefined): void {
    const change = { revision: this.#revision, resource, type, object, before };
    this.#history.push(change);
    if (this.#history.length > MAX_HISTORY) this.#compacted = (this.#history.shift() as Change).revision;
    for (const listener of [...this.#listeners]) listener(change);
  }

  /** All of a kind as it was at a revision: later changes are taken back. */
  #at(
    resource: Resource,
    revision: number,
    isWanted: (object: KubeObject) => boolean = () => true,
  ): readonly KubeObject[] {
    const objects = new Map<string, KubeObject>();
    for (const [at, stored] of this.#kinds.get(kindOf(resource)) ?? []) objects.set(at, stored.object);
    for (let index = this.#history.length - 1; index >= 0; index--) {
      const change = this.#history[index] as Change;
      if (change.revision <= revision) break;
      if (!isSame(change.resource, resource)) continue;
      const at = path(resource, change.object.metadata);
      if (change.before === undefined) objects.delete(at);
      else objects.set(at, change.before);
    }
    const wanted = [...objects].filter(([, object]) => isWanted(object));
    return wanted.sort(([left], [right]) => (left < right ? -1 : 1)).map(([, object]) => object);
  }

  #found(resource: Resource, key: Key): Stored {
    const stored = this.#stored.get(path(resource, key));
    if (stored === undefined) throw notFound(resource, key.name);
    return stored;
  }

  /** What an apply that creates begins with. */
  #unborn({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): KubeObject {
    return { apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) } };
  }

  #refuseTerminating(namespace: string | undefined, what: string): void {
    if (namespace === undefined || !this.#terminating.has(namespace)) return;
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
    throw new KubeError(`${what} is forbidden: ${why}`, 403, "Forbidden");
  }
}

function kindOf({ group, plural }: Resource): string {
  return `${group}/${plural}`;
}

/** Where an object is kept; sorts as the API server's keys do. */
function path(resource: Resource, key: Key): string {
  return `${resource.group}/${resource.plural}/${key.namespace ?? ""}/${key.name}`;
}

export function isSame(left: Resource, right: Resource): boolean {
  return left.group === right.group && left.plural === right.plural;
}

function isIn(object: KubeObject, { namespace, labelSelector, fieldSelector }: ListOptions): boolean {
  if (namespace !== undefined && object.metadata.namespace !== namespace) return false;
  return matchesLabels(labelSelector, object.metadata.labels) && matchesFields(fieldSelector, object);
}

/** Whether a list or watch with these options shows the object. */
export const isShown: (object: KubeObject, options: ListOptions) => boolean = isIn;

function hasStatus({ plural }: Resource): boolean {
  return !WITHOUT_STATUS.has(plural);
}

/** What an update may change: the status only through its subresource, and that only the status; identity never. */
function permitted(resource: Resource, before: KubeObject, given: KubeObject, subresource?: "status"): KubeObject {
  const was = before as unknown as Json;
  if (subresource === "status")
    return plain({ ...was, status: (given as unknown as Json)["status"] }) as unknown as KubeObject;
  const { uid, creationTimestamp, deletionTimestamp, generation, name, namespace, resourceVersion } = before.metadata;
  const fixed = { uid, creationTimestamp, deletionTimestamp, generation, name, namespace, resourceVersion };
  const seconds = graceOf(before.metadata);
  const status = hasStatus(resource) ? { status: was["status"] } : {};
  const metadata = { ...given.metadata, ...fixed, deletionGracePeriodSeconds: seconds };
  const after = plain({ ...given, ...status, apiVersion: before.apiVersion, kind: before.kind, metadata });
  if (generation === undefined || isDeepStrictEqual(content(after), content(plain(before))))
    return after as unknown as KubeObject;
  return {
    ...after,
    metadata: { ...(after["metadata"] as object), generation: generation + 1 },
  } as unknown as KubeObject;
}

/** What a generation counts the changes of. */
function content({ metadata, status, ...rest }: Json): Json {
  return rest;
}

function graceSeconds({ resource, object }: Stored, options: Deleting): number {
  if (resource.plural !== "pods" || resource.group !== "") return 0;
  const { spec, status } = object as unknown as { spec?: Json; status?: Json };
  // A Pod without a node, or one that has ended, has nothing to wait for.
  if (spec?.["nodeName"] === undefined || ["Failed", "Succeeded"].includes(String(status?.["phase"]))) return 0;
  return options.gracePeriodSeconds ?? (spec["terminationGracePeriodSeconds"] as number | undefined) ?? 30;
}

/** What was decided when it was deleted. */
function graceOf(metadata: ObjectMeta): unknown {
  return (metadata as unknown as Json)["deletionGracePeriodSeconds"];
}

function continued(token: string): { readonly revision: number; readonly after: string } {
  try {
    return JSON.parse(Buffer.from(token, "base64url").toString());
  } catch {
    throw new KubeError(`continue key is not valid: ${token}`, 400, "BadRequest");
  }
}

function owner(operation: "apply" | "update", { manager = "unknown", subresource }: Writing): string {
  return `${operation}:${manager}${subresource === undefined ? "" : `/${subresource}`}`;
}

/** As it comes out of JSON: what is undefined is absent. */
function plain(value: object): Json {
  return JSON.parse(JSON.stringify(value));
}

function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) frozen(child);
  }
  return value;
}

function notFound({ plural }: Resource, name: string): KubeError {
  return new KubeError(`${plural} "${name}" not found`, 404, "NotFound");
}

function conflict({ plural }: Resource, name: string, why: string): KubeError {
  return new KubeError(`Operation cannot be fulfilled on ${plural} "${name}": ${why}`, 409, "Conflict");
}

function invalid({ plural }: Resource, name: string, why: string): KubeError {
  return new KubeError(`${plural} "${name}" is invalid: ${why}`, 422, "Invalid");
}
