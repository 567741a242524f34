/** Short digests of texts, for annotations: only whether two are the same is asked of them. */
import { utf8Bytes } from "../../server/base/bytes.ts";
import { sha256 } from "../../server/base/digest.ts";

const BYTES = 8;

/** 16 digits of lower-case hex. */
export function shortHash(text: string): string {
  return Array.from(sha256(utf8Bytes(text)).subarray(0, BYTES), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
