/** Whose clients members let in: what is written beside the certificate that they show to clients. */
import { type Purpose, tlsSecretName } from "../api/tls-names.ts";
import { isSignedBy } from "./brought.ts";
import { type HeldSecret, readHeld } from "./held.ts";
import { type Certificate, certificatesIn } from "./pem.ts";
import { CertificateProblem } from "./problem.ts";
import type { SecretTexts, SeenCertificates } from "./seen.ts";
import { ownAuthority, type Source } from "./source.ts";

export interface ClientTrust {
  readonly clients: readonly Certificate[];
  /** Why what is held has to be changed; undefined: it has not. */
  readonly change: string | undefined;
  readonly problems: readonly string[];
}

const NOBODY: ClientTrust = { clients: [], change: undefined, problems: [] };

/**
 * The authority of what members show, those that the spec adds, and the one that signs what the operator shows. Others
 * are dropped only when all of these could be read, and the operator itself shows a certificate of theirs.
 */
export function clientTrust(
  seen: SeenCertificates,
  purpose: Purpose,
  held: HeldSecret | undefined,
  source: Source,
): ClientTrust {
  if (purpose !== "server" || seen.cluster.spec.tls.client.mode !== "Mutual") return NOBODY;
  const authority = ownAuthority(seen, "client");
  const { extra, problems } = extraTrust(seen);
  const wanted = unique([...source.authorities, ...(authority === undefined ? [] : [authority.certificate]), ...extra]);
  const before = held?.clients ?? [];
  const mayNarrow = problems.length === 0 && authority !== undefined && operatorShowsOneOf(seen, wanted);
  const clients = mayNarrow ? wanted : unique([...before, ...wanted]);
  return { clients, change: held === undefined ? undefined : changeOf(before, clients), problems };
}

function changeOf(before: readonly Certificate[], after: readonly Certificate[]): string | undefined {
  if (after.some((one) => !has(before, one))) return "clients of more authorities are let in";
  return before.some((one) => !has(after, one)) ? "clients of an authority are no longer let in" : undefined;
}

function extraTrust({ cluster, secrets, maps }: SeenCertificates): { extra: Certificate[]; problems: string[] } {
  const extra: Certificate[] = [];
  const problems: string[] = [];
  for (const { secretRef, configMapRef } of cluster.spec.tls.extraTrust ?? []) {
    const isSecret = secretRef !== undefined;
    const from = secretRef ?? configMapRef;
    if (from === undefined) continue;
    const texts = (isSecret ? secrets : maps).get(from.name);
    try {
      extra.push(...oneTrust(`${isSecret ? "Secret" : "ConfigMap"} "${from.name}"`, texts, from.key));
    } catch (error) {
      if (!(error instanceof CertificateProblem)) throw error;
      problems.push(error.message);
    }
  }
  return { extra, problems };
}

function oneTrust(where: string, texts: SecretTexts | undefined, key: string): readonly Certificate[] {
  if (texts === undefined)
    throw new CertificateProblem(`${where} of spec.tls.extraTrust is not there`, "make it, or take it out of the spec");
  const text = texts.get(key);
  if (text === undefined)
    throw new CertificateProblem(`${where} of spec.tls.extraTrust has no key "${key}"`, "add it, or name another key");
  return certificatesIn(text, `${where}, key "${key}"`);
}

/** Without a Secret yet the operator will show one of the present authority. */
function operatorShowsOneOf({ cluster, secrets }: SeenCertificates, wanted: readonly Certificate[]): boolean {
  const name = tlsSecretName(cluster.metadata.name, "operator");
  const shown = readHeld(name, secrets.get(name));
  return shown === undefined || wanted.some((authority) => isSignedBy(shown.leaf, authority));
}

function unique(certificates: readonly Certificate[]): readonly Certificate[] {
  return [...new Map(certificates.map((one) => [one.fingerprint, one])).values()];
}

function has(certificates: readonly Certificate[], { fingerprint }: Certificate): boolean {
  return certificates.some((one) => one.fingerprint === fingerprint);
}
