/** SHA-1 and SHA-256: pure functions, and so the one file here with a `node:` import. */
import { createHash, type Hash } from "node:crypto";

/** 20 bytes. Member and cluster ids are cut from it, as etcd does. */
export function sha1(bytes: Uint8Array): Uint8Array {
  return createHash("sha1").update(bytes).digest();
}

/** 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

/** SHA-256 of what is added piece by piece. */
export class Sha256 {
  readonly #hash: Hash = createHash("sha256");

  add(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** 32 bytes. Nothing may be added afterwards. */
  result(): Uint8Array {
    return this.#hash.digest();
  }
}
