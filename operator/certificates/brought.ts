/**
 * Certificates that people or cert-manager bring in a Secret, checked before any member sees them: a member that is
 * handed files it cannot use goes on with the old ones and says so in its log alone.
 */
import { createPrivateKey, type KeyObject } from "node:crypto";
import { TLS_KEYS } from "../api/tls-names.ts";
import type { Pair } from "./issue.ts";
import { type Certificate, certificatesIn } from "./pem.ts";
import { CertificateProblem } from "./problem.ts";
import type { SecretTexts } from "./seen.ts";

export interface BroughtWants {
  /** Hosts that it must be good for, no wildcards. */
  readonly hosts: readonly string[];
  readonly usages: readonly ("server" | "client")[];
  readonly now: number;
}

export interface Brought extends Pair {
  /** The leaf and the intermediate authorities below it, as they are shown. */
  readonly chain: readonly Certificate[];
  readonly authorities: readonly Certificate[];
}

const USAGES = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" } as const;
const ANY_USAGE = "2.5.29.37.0";
/** A chain is a handful of certificates; a loop in it must end. */
const MAX_DEPTH = 10;

/** Throws `CertificateProblem`, which names the Secret, what is wrong with it and what to do. */
export function readBrought(secret: string, texts: SecretTexts, wants: BroughtWants): Brought {
  const chain = certificatesIn(text(secret, texts, TLS_KEYS.certificate), `Secret "${secret}", key "tls.crt"`);
  const authorities = certificatesIn(text(secret, texts, TLS_KEYS.ca), `Secret "${secret}", key "ca.crt"`);
  const key = text(secret, texts, TLS_KEYS.key);
  const certificate = chain[0] as Certificate;
  checkKey(secret, certificate, key);
  checkDates(secret, certificate, wants.now);
  checkChain(secret, chain, authorities, wants.now);
  checkNames(secret, certificate, wants);
  return { certificate, key, chain, authorities };
}

function text(secret: string, texts: SecretTexts, key: string): string {
  const value = texts.get(key);
  if (value === undefined || value.trim() === "")
    throw new CertificateProblem(
      `Secret "${secret}" has no "${key}"`,
      "give it ca.crt, tls.crt and tls.key; an issuer that leaves out ca.crt cannot be used here",
    );
  return value;
}

function checkKey(secret: string, { x509 }: Certificate, pem: string): void {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw new CertificateProblem(
      `Secret "${secret}", key "tls.key" cannot be read (${(error as Error).message})`,
      "put an unencrypted private key there as PEM",
    );
  }
  if (!x509.checkPrivateKey(key))
    throw new CertificateProblem(
      `Secret "${secret}": tls.key is not the key of tls.crt`,
      "put both of one pair there, the certificate itself first in tls.crt",
    );
}

function checkDates(secret: string, { notBefore, notAfter }: Certificate, now: number): void {
  const at = (time: number) => new Date(time).toISOString();
  if (now >= notAfter)
    throw new CertificateProblem(`Secret "${secret}": tls.crt has expired at ${at(notAfter)}`, "renew it");
  if (now < notBefore)
    throw new CertificateProblem(
      `Secret "${secret}": tls.crt is not good before ${at(notBefore)}`,
      "wait until then, or correct the clock of whoever issued it",
    );
}

/** From the leaf over what is shown beside it up to one of the authorities. */
function checkChain(
  secret: string,
  chain: readonly Certificate[],
  authorities: readonly Certificate[],
  now: number,
): void {
  let at = chain[0] as Certificate;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    if (authorities.some((authority) => isSignedBy(at, authority) && isGood(authority, now))) return;
    // One that has signed itself and is trusted by name.
    if (at.x509.issuer === at.x509.subject && authorities.some(({ fingerprint }) => fingerprint === at.fingerprint))
      return;
    const above = chain.find((one) => one !== at && isSignedBy(at, one) && isGood(one, now));
    if (above === undefined) break;
    at = above;
  }
  throw new CertificateProblem(
    `Secret "${secret}": no authority in ca.crt that is good today has signed ${chain.length > 1 ? "the chain in " : ""}tls.crt`,
    "put the issuer's certificate in ca.crt, and intermediate ones after the first in tls.crt",
  );
}

function isGood({ notBefore, notAfter }: Certificate, now: number): boolean {
  return notBefore <= now && now < notAfter;
}

/** Whether `authority` has signed `certificate`, and may. */
export function isSignedBy(certificate: Certificate, authority: Certificate): boolean {
  const { x509 } = authority;
  return x509.ca && certificate.x509.checkIssued(x509) && certificate.x509.verify(x509.publicKey);
}

function checkNames(secret: string, { x509 }: Certificate, { hosts, usages }: BroughtWants): void {
  const missing = hosts.find((host) => x509.checkHost(host, { subject: "never" }) === undefined);
  if (missing !== undefined)
    throw new CertificateProblem(
      `Secret "${secret}": tls.crt is not good for "${missing}"`,
      "issue it with that name among its alternative names; a wildcard serves members that are yet to come",
    );
  const allowed: readonly string[] | undefined = x509.keyUsage;
  if (allowed === undefined || allowed.length === 0 || allowed.includes(ANY_USAGE)) return;
  const lacking = usages.find((usage) => !allowed.includes(USAGES[usage]));
  if (lacking !== undefined)
    throw new CertificateProblem(
      `Secret "${secret}": tls.crt may not be used as a ${lacking}'s`,
      `issue it with the extended key usage ${lacking === "server" ? "serverAuth" : "clientAuth"}`,
    );
}
