/**
 * What a load client says of itself: a line of JSON each quarter of a second, written in the Pod and read on the host.
 * Times are milliseconds since the client began, by its own steady clock. A key is written once and by one writer alone,
 * so that its name says everything: `WRITER/NUMBER`.
 */

/** One line. Absent parts are empty. */
export interface Batch {
  /** 0, 1, 2 ...: a gap means that lines were lost on the way. */
  readonly n: number;
  /** Writes that the server has acknowledged: key, revision, when. */
  readonly acked?: readonly (readonly [key: string, revision: number, at: number])[];
  /** Writes of which nobody knows what became: key, when, why. */
  readonly failed?: readonly (readonly [key: string, at: number, why: string])[];
  /** What watchers were sent, in its order: watcher, revision, key. */
  readonly events?: readonly (readonly [watcher: string, revision: number, key: string])[];
  /** Streams that ended and are resumed behind the last event. */
  readonly broken?: readonly (readonly [watcher: string, at: number, why: string])[];
  readonly state?: State;
  /** The first line: from where the watchers watch. */
  readonly began?: { readonly revision: number; readonly watchers: readonly string[] };
  /** The last line. */
  readonly ended?: true;
}

/** What a linearizable read has shown while nobody wrote and every watcher had been given time to come level. */
export interface State {
  readonly revision: number;
  /** Of all keys. */
  readonly count: number;
  /** Keys that were made at or before this revision are not listed; 0: all are. */
  readonly since: number;
  readonly keys: readonly (readonly [key: string, revision: number])[];
}

/** The name that the checker knows a key by; a value that is not the one that was written there shows in it. */
export function nameOf(prefix: string, key: string, value: string): string {
  const name = key.startsWith(prefix) ? key.slice(prefix.length) : key;
  return value === valueUnder(name) ? name : `${name} with the value ${JSON.stringify(value.slice(0, 40))}`;
}

/** What is written under a name. */
export function valueUnder(name: string): string {
  return `value of ${name}`;
}

export function encode(batch: Batch): string {
  return `${JSON.stringify(batch)}\n`;
}

/** Throws an Error for a line that is none. */
export function decode(line: string): Batch {
  const value: unknown = JSON.parse(line);
  if (typeof value !== "object" || value === null || typeof (value as { n?: unknown }).n !== "number")
    throw new Error(`this is no line of a load client: ${line.slice(0, 100)}`);
  return value as Batch;
}
