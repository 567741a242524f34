/**
 * Writes statuses, and not more often than somebody gains by it: what is equal is not written, what differs only in
 * numbers that always move is written now and then, and all else at most every few seconds unless a condition changed.
 * Every write is bound to the version that the status was made from: a conflict is thrown, and whoever decided something
 * by what was true then has to look again.
 */
import { type Condition, haveSameConditions } from "./conditions.ts";
import type { Kube, KubeObject, Resource } from "./kube.ts";
import { isEqual, mergePatchOf } from "./merge-patch.ts";
import type { Time } from "./time.ts";

/** What became of a write. `againInMs`: it was put off, and may be written then. */
export type StatusOutcome<T extends KubeObject> =
  | { readonly kind: "equal" }
  | { readonly kind: "written"; readonly object: T }
  | { readonly kind: "later"; readonly againInMs: number };

export interface StatusWriterOptions {
  readonly kube: Kube;
  readonly time: Time;
  readonly resource: Resource;
  /** Fields, at any depth, that alone are no reason to write soon: sizes, indexes, ages. */
  readonly volatile?: readonly string[];
  /** Between two writes of the same object that change no condition. */
  readonly pauseMs?: number;
  /** Between two writes of what is volatile. */
  readonly volatilePauseMs?: number;
}

interface WithStatus extends KubeObject {
  readonly status?: unknown;
}

const PAUSE_MS = 5000;
const VOLATILE_PAUSE_MS = 60_000;

/** Objects whose last write is remembered; one that was forgotten may be written at once. */
const MAX_REMEMBERED = 10_000;

export class StatusWriter {
  readonly #options: StatusWriterOptions;
  /** When, by uid. */
  readonly #written = new Map<string, number>();

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** `object` is as it was read when `status` was made of it. Fails with a `KubeError`, by a conflict too. */
  async write<T extends KubeObject>(object: T, status: object): Promise<StatusOutcome<T>> {
    const { kube, time, resource } = this.#options;
    const before = (object as WithStatus).status ?? {};
    const change = mergePatchOf(before, status);
    if (change === undefined) return { kind: "equal" };
    const { uid = "", resourceVersion = "" } = object.metadata;
    const waitMs = this.#waitMs(uid, before, status);
    if (waitMs > 0) return { kind: "later", againInMs: waitMs };
    const options = { subresource: "status", resourceVersion } as const;
    const written = await kube.patch<T>(resource, object.metadata, { status: change }, options);
    this.#remember(uid, time.monotonic());
    return { kind: "written", object: written };
  }

  #waitMs(uid: string, before: object, status: object): number {
    const { time, volatile = [], pauseMs = PAUSE_MS, volatilePauseMs = VOLATILE_PAUSE_MS } = this.#options;
    const writtenAt = this.#written.get(uid);
    if (writtenAt === undefined || !haveSameConditions(conditionsOf(before), conditionsOf(status))) return 0;
    const isVolatile = isEqual(without(before, volatile), without(status, volatile));
    return writtenAt + (isVolatile ? volatilePauseMs : pauseMs) - time.monotonic();
  }

  #remember(uid: string, at: number): void {
    this.#written.delete(uid);
    this.#written.set(uid, at);
    if (this.#written.size > MAX_REMEMBERED) this.#written.delete(this.#written.keys().next().value as string);
  }
}

function conditionsOf(status: object): readonly Condition[] | undefined {
  return (status as { readonly conditions?: readonly Condition[] }).conditions;
}

/** A copy without the fields of these names, at any depth. */
function without(value: unknown, names: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((item) => without(item, names));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, child]) => !names.includes(name) && child !== undefined)
      .map(([name, child]) => [name, without(child, names)]),
  );
}
