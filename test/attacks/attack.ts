/** What an attack is, and what it is told. One file here for each family of them; `run.ts` runs them. */
import type { RawClient, RawOptions } from "./raw-client.ts";

export interface Attack {
  readonly name: string;
  /**
   * What must become of the attacker on our server. "gone": it is cut off, at least once; the attack goes on until
   * it is, for a while, since a slow machine comes late to a rate that is too high. "bounded": it may stay, as
   * what it can hold is small; memory and the other client say whether that is so.
   */
  readonly expect: "gone" | "bounded";
  /** Which port it is for; "plain" when not given. */
  readonly over?: "plain" | "tls";
  /** Needs longer than the other attacks, for example as a deadline of ours has to pass. */
  readonly leastSeconds?: number;
  run(scene: Scene): Promise<void>;
}

/** One attack under way. */
export interface Scene {
  /** Time is up. */
  readonly over: boolean;
  /** Where the server under attack listens. */
  readonly port: number;
  /** Opens a connection to the server under attack; rejects when it cannot be had. */
  open(options?: RawOptions): Promise<RawClient>;
  /** Resolves after so long, or when time is up. */
  pause(ms: number): Promise<void>;
  /** Something for the table: "2000 of 2000 closed within 10.6 s". */
  note(text: string): void;
}

/** How long an attacker that was cut off waits: reconnecting as fast as it can would be an attack of its own. */
const AGAIN_MS = 50;

/** Writes what `next` gives as fast as it is taken, and begins again whenever it is cut off. */
export async function flood(
  scene: Scene,
  options: RawOptions,
  begin: (client: RawClient) => Uint8Array,
  next: (client: RawClient, round: number) => Uint8Array,
): Promise<void> {
  while (!scene.over) {
    let client: RawClient;
    try {
      client = await scene.open(options);
    } catch {
      await scene.pause(AGAIN_MS);
      continue;
    }
    await client.write(begin(client));
    for (let round = 0; !scene.over && !client.ended; round++) await client.write(next(client, round));
    if (client.ended) await scene.pause(AGAIN_MS);
  }
}

/** Writes once, and stays until it is cut off; then again. `after` is written every `everyMs`. */
export async function linger(
  scene: Scene,
  options: RawOptions,
  begin: (client: RawClient) => Uint8Array,
  after:
    | { readonly everyMs: number; readonly bytes: (client: RawClient, round: number) => Uint8Array }
    | undefined = undefined,
): Promise<void> {
  while (!scene.over) {
    try {
      const client = await scene.open(options);
      await client.write(begin(client));
      for (let round = 0; !scene.over && client.ended === undefined; round++) {
        await scene.pause(after?.everyMs ?? POLL_MS);
        if (after !== undefined) await client.write(after.bytes(client, round));
      }
    } catch {
      // refused: that is what it is for
    }
    await scene.pause(AGAIN_MS);
  }
}

const POLL_MS = 100;

/** So many attackers side by side. */
export async function together(count: number, one: (index: number) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, index) => one(index)));
}

export const NOTHING: Uint8Array = new Uint8Array(0);
