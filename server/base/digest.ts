/** SHA-1 and SHA-256: pure functions, and so the one file here with a `node:` import. */
import { createHash } from "node:crypto";

/** 20 bytes. Member and cluster ids are cut from it, as etcd does. */
export function sha1(bytes: Uint8Array): Uint8Array {
  return createHash("sha1").update(bytes).digest();
}

/** 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}
