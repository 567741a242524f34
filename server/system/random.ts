/** Random numbers of the operating system: fit for secrets. */
import { randomBytes, randomInt } from "node:crypto";
import type { Random } from "../ports/random.ts";

export class SystemRandom implements Random {
  bytes(length: number): Uint8Array {
    return randomBytes(length);
  }

  /** `bound` is at most 2^48 - 1. */
  below(bound: number): number {
    return randomInt(bound);
  }
}
