/** Which certificates there are, and whether members have loaded them: a changed file is not yet a used one. */
import { shortHash } from "../resources/short-hash.ts";
import type { Member } from "./members.ts";
import type { SecretFacts } from "./observation.ts";
import type { View } from "./view.ts";

/** Of all Secrets that members load; nothing without any, or while one is missing. */
export function certificateHash(view: View): string | undefined {
  const needs = view.builders.secrets(view.cluster).filter((need) => need.isLoaded);
  if (needs.length === 0) return undefined;
  const hashes = needs.map((need) => view.seen.secrets.get(need.name)?.hash);
  if (hashes.includes(undefined)) return undefined;
  return shortHash(hashes.join(" "));
}

/** Whether `member` shows every certificate of `secret`; unknown when either side cannot tell. */
export function hasLoaded(member: Member, secret: SecretFacts): boolean | undefined {
  if (member.loadedCertificates === undefined || secret.fingerprints === undefined) return undefined;
  return secret.fingerprints.every((fingerprint) => member.loadedCertificates?.includes(fingerprint));
}
