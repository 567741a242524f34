/** What the operator's own Secrets hold: pairs of its authorities, and what members read. */
import { createPrivateKey } from "node:crypto";
import { CLIENT_TRUST_KEY, type SubjectNames, TLS_KEYS, TRUST_SINCE_KEY } from "../api/tls-names.ts";
import type { Pair } from "./issue.ts";
import { bundleOf, type Certificate, certificatesIn } from "./pem.ts";
import { CertificateProblem } from "./problem.ts";
import type { SecretTexts } from "./seen.ts";

/** A Secret as it is to be, without metadata. */
export interface SecretContent {
  readonly name: string;
  readonly type: "kubernetes.io/tls";
  /** Base64. */
  readonly data: Readonly<Record<string, string>>;
}

/** A Secret that members, or the operator, read. */
export interface HeldSecret {
  readonly leaf: Certificate;
  /** The leaf and what is shown beside it, PEM. */
  readonly shown: string;
  readonly key: string;
  readonly trusted: readonly Certificate[];
  /** Authorities whose clients are let in. */
  readonly clients: readonly Certificate[];
  /** Milliseconds since 1970; 0 when it does not say. */
  readonly trustSince: number;
}

/** Nothing when there is no Secret, or somebody has made it unreadable: it is then written anew. */
export function readHeld(secret: string, texts: SecretTexts | undefined): HeldSecret | undefined {
  if (texts === undefined) return undefined;
  const part = (key: string) => certificatesIn(texts.get(key) ?? "", `Secret "${secret}", key "${key}"`);
  try {
    const shown = texts.get(TLS_KEYS.certificate) ?? "";
    const leaf = part(TLS_KEYS.certificate)[0] as Certificate;
    const key = texts.get(TLS_KEYS.key) ?? "";
    if (!leaf.x509.checkPrivateKey(createPrivateKey(key))) return undefined;
    const clients = texts.has(CLIENT_TRUST_KEY) ? part(CLIENT_TRUST_KEY) : [];
    const trustSince = Date.parse(texts.get(TRUST_SINCE_KEY) ?? "") || 0;
    return { leaf, shown, key, trusted: part(TLS_KEYS.ca), clients, trustSince };
  } catch {
    return undefined;
  }
}

/** The Secret's content for these parts. */
export function heldContent(name: string, held: Omit<HeldSecret, "leaf">): SecretContent {
  return contentOf(name, {
    [TLS_KEYS.certificate]: held.shown,
    [TLS_KEYS.key]: held.key,
    [TLS_KEYS.ca]: bundleOf(held.trusted),
    [TRUST_SINCE_KEY]: new Date(held.trustSince).toISOString(),
    ...(held.clients.length === 0 ? {} : { [CLIENT_TRUST_KEY]: bundleOf(held.clients) }),
  });
}

/**
 * An authority of the operator's own. Undefined when there is none. Throws `CertificateProblem` when it is unusable: a
 * new one in its place is for a person to decide.
 */
export function readAuthority(secret: string, texts: SecretTexts | undefined): Pair | undefined {
  if (texts === undefined) return undefined;
  const remedy = "restore it, or delete it: a new authority then takes its place";
  try {
    const [certificate] = certificatesIn(texts.get(TLS_KEYS.certificate) ?? "", `Secret "${secret}", key "tls.crt"`);
    const key = texts.get(TLS_KEYS.key) ?? "";
    if (certificate?.x509.ca === true && certificate.x509.checkPrivateKey(createPrivateKey(key)))
      return { certificate, key };
  } catch (error) {
    throw new CertificateProblem(`Secret "${secret}" holds no authority (${(error as Error).message})`, remedy);
  }
  throw new CertificateProblem(`Secret "${secret}" holds no authority with its key`, remedy);
}

export function authorityContent(name: string, { certificate, key }: Pair): SecretContent {
  return contentOf(name, {
    [TLS_KEYS.certificate]: certificate.pem,
    [TLS_KEYS.key]: key,
    [TLS_KEYS.ca]: certificate.pem,
  });
}

function contentOf(name: string, texts: Readonly<Record<string, string>>): SecretContent {
  const data = Object.entries(texts).map(([key, text]) => [key, Buffer.from(text, "utf8").toString("base64")] as const);
  return { name, type: "kubernetes.io/tls", data: Object.fromEntries(data) };
}

/** `data` of a Secret as the API server gives it, decoded. */
export function secretTexts(data: Readonly<Record<string, string>> | undefined): SecretTexts {
  return new Map(Object.entries(data ?? {}).map(([key, text]) => [key, Buffer.from(text, "base64").toString("utf8")]));
}

/** Names that the certificate should be good for and is not. */
export function missingNames({ x509 }: Certificate, { dnsNames, ips }: SubjectNames): readonly string[] {
  const known = (x509.subjectAltName ?? "").split(", ");
  const hosts = dnsNames.filter((name) => !known.includes(`DNS:${name}`));
  return [...hosts, ...ips.filter((ip) => x509.checkIP(ip) === undefined)];
}
