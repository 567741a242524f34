/**
 * What we ask of Kubernetes, as a port. Objects are the JSON that the API server sends, untouched: fields that we do not
 * know pass through. The real one is `kube-client.ts`, the one of the tests `test/operator/fake-kube.ts`.
 */

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
  /** RFC 3339. */
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
}

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** A kind of object as the API's paths name it; `group` is "" for the core. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly isNamespaced: boolean;
}

export interface Key {
  /** Absent for what lies in no namespace. */
  readonly namespace?: string;
  readonly name: string;
}

export interface ListOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Objects a page, 1 or more. */
  readonly limit?: number;
  /** `continueToken` of the page before. */
  readonly continueToken?: string;
  /** "0": what the API server has at hand, which may be old. Absent: what is true now. */
  readonly resourceVersion?: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  readonly continueToken?: string;
}

export interface WatchOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Events after this one. */
  readonly resourceVersion: string;
  /** After so many seconds the server ends the watch by itself. */
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
}

/** An `ERROR` of the stream is no event: it is thrown as a `KubeError`. */
export type WatchEvent<T> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T }
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string };

export interface ApplyOptions {
  readonly fieldManager: string;
  /** Takes fields over from other managers. */
  readonly force?: boolean;
  readonly subresource?: "status";
}

export interface PatchOptions {
  readonly subresource?: "status";
  /** Fails with a conflict when the object is no longer of this version. */
  readonly resourceVersion?: string;
}

export interface DeleteOptions {
  /** Nothing is deleted by name alone: somebody else may have made a new one. */
  readonly uid: string;
  readonly resourceVersion?: string;
  readonly gracePeriodSeconds?: number;
}

/**
 * Every call may fail with a `KubeError`; one without a status means that nobody knows whether it was carried out.
 * Each call is bounded by a time limit of its own.
 */
export interface Kube {
  /** Nothing when there is no such object. */
  get<T extends KubeObject>(resource: Resource, key: Key): Promise<T | undefined>;
  list<T extends KubeObject>(resource: Resource, options: ListOptions): Promise<Page<T>>;
  /** Ends when the server ends it or `signal` fires; a gap in time or a broken connection is a `KubeError`. */
  watch<T extends KubeObject>(resource: Resource, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
  create<T extends KubeObject>(resource: Resource, object: T): Promise<T>;
  /** Server-side apply; `object` holds only what this manager wants to own. */
  apply<T extends KubeObject>(resource: Resource, object: T, options: ApplyOptions): Promise<T>;
  /** JSON merge patch. */
  patch<T extends KubeObject>(resource: Resource, key: Key, patch: object, options?: PatchOptions): Promise<T>;
  /** Propagation is background. Whether it is gone at once or is now terminating can only be seen by `get`. */
  delete(resource: Resource, key: Key, options: DeleteOptions): Promise<void>;
}

/** A call that failed. */
export class KubeError extends Error {
  override readonly name = "KubeError";
  /** HTTP's; absent when no answer came: the call may or may not have been carried out. */
  readonly status: number | undefined;
  /** `reason` of the API server's Status, such as AlreadyExists, Conflict, Expired, Invalid. */
  readonly reason: string;
  /** The server asks to be left alone so long. */
  readonly retryAfterMs: number | undefined;

  constructor(text: string, status?: number, reason = "", retryAfterMs?: number) {
    super(text);
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** There is no such object. A 404 for a kind, path or proxy that is not there says nothing of the object, and is not this. */
export function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.status === 404 && error.reason === "NotFound";
}

export function isAlreadyThere(error: unknown): boolean {
  return error instanceof KubeError && error.status === 409 && error.reason === "AlreadyExists";
}

export function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.status === 409 && error.reason !== "AlreadyExists";
}

/** A resourceVersion that the server has forgotten: list again. */
export function isGone(error: unknown): boolean {
  return error instanceof KubeError && error.status === 410;
}
