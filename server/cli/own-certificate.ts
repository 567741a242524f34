/** `--auto-tls` and `--peer-auto-tls`: the certificates that a server makes for itself, where etcd has them. */
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { type Address, isSecure } from "../config/urls.ts";
import type { Clock } from "../ports/clock.ts";
import { type SelfSigned, selfSignedPair } from "../system/self-signed.ts";

/**
 * The pair that is shown on `addresses`, in `fixtures/client` or `fixtures/peer` of the data directory: for the hosts of
 * those with TLS; undefined when there are none. Throws `WorldError` when it can neither be made nor used.
 */
export function ownCertificate(
  whom: "client" | "peer",
  addresses: readonly Address[],
  { dataDir, selfSignedYears }: Pick<Config, "dataDir" | "selfSignedYears">,
  clock: Clock,
): SelfSigned | undefined {
  const secure = addresses.filter(isSecure);
  if (secure.length === 0) return undefined;
  // A socket file has no host: who dials it asks for localhost.
  const hosts = new Set(secure.map(({ host }) => (host === "" ? "localhost" : host)));
  return selfSignedPair(join(dataDir, "fixtures", whom), {
    hosts: [...hosts],
    years: selfSignedYears,
    nowMs: clock.wallMs(),
  });
}
