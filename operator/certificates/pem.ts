/** Certificates and keys as text: what stands in Secrets and ConfigMaps. */
import { X509Certificate } from "node:crypto";
import { CertificateProblem } from "./problem.ts";

/** A bundle of all public authorities has some 150; a file with more is a mistake. */
export const MAX_CERTIFICATES = 500;

/** A Secret may have 1 MiB. */
const MAX_TEXT = 1024 * 1024;

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

export interface Certificate {
  /** SHA-256 of the DER form in lower-case hex, as members show it in their metrics. */
  readonly fingerprint: string;
  /** Ends with a line feed. */
  readonly pem: string;
  readonly x509: X509Certificate;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** All certificates of `text`, in its order. `where` names the text in errors: `Secret "web", key "ca.crt"`. */
export function certificatesIn(text: string, where: string): readonly Certificate[] {
  if (text.length > MAX_TEXT)
    throw new CertificateProblem(`${where} is longer than ${MAX_TEXT} characters`, "shorten it");
  const blocks = text.match(BLOCK) ?? [];
  if (blocks.length === 0)
    throw new CertificateProblem(`${where} holds no certificate`, "put PEM text there (BEGIN CERTIFICATE)");
  if (blocks.length > MAX_CERTIFICATES)
    throw new CertificateProblem(`${where} holds ${blocks.length} certificates`, `keep ${MAX_CERTIFICATES} or fewer`);
  return blocks.map((block, index) => certificateOf(block, `${where}, certificate ${index + 1}`));
}

function certificateOf(block: string, where: string): Certificate {
  let x509: X509Certificate;
  try {
    x509 = new X509Certificate(block);
  } catch (error) {
    throw new CertificateProblem(
      `${where} cannot be read: ${(error as Error).message}`,
      "put an X.509 certificate there",
    );
  }
  return {
    fingerprint: x509.fingerprint256.replaceAll(":", "").toLowerCase(),
    pem: `${block}\n`,
    x509,
    notBefore: Date.parse(x509.validFrom),
    notAfter: Date.parse(x509.validTo),
  };
}

/** One text, each certificate once, in the order given. */
export function bundleOf(certificates: readonly Certificate[]): string {
  return [...new Map(certificates.map(({ fingerprint, pem }) => [fingerprint, pem])).values()].join("");
}

export function fingerprintsOf(certificates: readonly Certificate[]): readonly string[] {
  return [...new Set(certificates.map(({ fingerprint }) => fingerprint))];
}
