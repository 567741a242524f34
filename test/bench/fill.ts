/** Puts keys into a store before it is measured. */
import { runRaw } from "./loads/raw.ts";
import type { Subject } from "./subject.ts";

const FILL_IN_FLIGHT = 16;

/** `keys` keys in mixed order; `keyBytes` 0: as short as they come. Throws when one was not put. */
export async function fill(
  { target }: Subject,
  prefix: string,
  keys: number,
  valueBytes: number,
  keyBytes = 0,
): Promise<void> {
  const { count } = await runRaw<{ count: number }>({
    kind: "fill",
    target,
    prefix,
    keyBytes,
    valueBytes,
    keys,
    inFlight: FILL_IN_FLIGHT,
  });
  if (count !== keys) throw new Error(`${count} of ${keys} keys were put`);
}
