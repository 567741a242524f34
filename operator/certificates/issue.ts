/**
 * The operator's own authority: ECDSA on P-256, signed with SHA-256. Time is an argument; keys and serial numbers are
 * chance. A certificate is good from a little before `now`, as clocks of nodes differ.
 */
import "./reflection.ts";
import { createPrivateKey, webcrypto } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  type JsonName,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { assert } from "../../server/base/assert.ts";
import { MAX_COMMON_NAME, type SubjectNames } from "../api/tls-names.ts";
import { type Certificate, certificatesIn } from "./pem.ts";

/** How far clocks may be apart. */
export const BACKDATED_MS = 5 * 60_000;

const KEY = { name: "ECDSA", namedCurve: "P-256" };
const SIGNING = { name: "ECDSA", hash: "SHA-256" };
/** serverAuth and clientAuth of RFC 5280, section 4.2.1.12. */
const USAGES = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" } as const;
/** Positive, and long enough that chance never repeats one. */
const SERIAL_BYTES = 16;

type Keys = webcrypto.CryptoKeyPair;

/** A certificate with its key. */
export interface Pair {
  readonly certificate: Certificate;
  /** PKCS#8, PEM. */
  readonly key: string;
}

export interface AuthorityWish {
  readonly commonName: string;
  readonly now: number;
  readonly lifetimeMs: number;
}

export interface LeafWish {
  readonly names: SubjectNames;
  readonly usages: readonly ("server" | "client")[];
  readonly now: number;
  /** Cut where the authority ends. */
  readonly lifetimeMs: number;
}

/** A new authority that signs leaves and no other authority. */
export async function issueAuthority({ commonName, now, lifetimeMs }: AuthorityWish): Promise<Pair> {
  const keys = await newKeys();
  const name = subjectOf(commonName.slice(0, MAX_COMMON_NAME));
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: newSerial(),
      subject: name,
      issuer: name,
      notBefore: new Date(now - BACKDATED_MS),
      notAfter: new Date(now + lifetimeMs),
      publicKey: keys.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: SIGNING,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return pairOf(certificate, keys);
}

/** A new certificate for `names`, signed by `authority`. Rejects when the authority's key cannot be used. */
export async function issueLeaf(authority: Pair, { names, usages, now, lifetimeMs }: LeafWish): Promise<Pair> {
  const keys = await newKeys();
  const signer = new X509Certificate(authority.certificate.pem);
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: newSerial(),
      subject: subjectOf(names.commonName),
      issuer: signer.subjectName,
      notBefore: new Date(Math.max(now - BACKDATED_MS, authority.certificate.notBefore)),
      notAfter: new Date(Math.min(now + lifetimeMs, authority.certificate.notAfter)),
      publicKey: keys.publicKey,
      signingKey: await signingKey(authority.key),
      signingAlgorithm: SIGNING,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension(usages.map((usage) => USAGES[usage])),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
        await AuthorityKeyIdentifierExtension.create(signer.publicKey, false, webcrypto),
        ...alternatives(names),
      ],
    },
    webcrypto,
  );
  return pairOf(certificate, keys);
}

function alternatives({ dnsNames, ips }: SubjectNames): SubjectAlternativeNameExtension[] {
  const names: JsonGeneralName[] = [
    ...dnsNames.map((value) => ({ type: "dns" as const, value })),
    ...ips.map((value) => ({ type: "ip" as const, value })),
  ];
  return names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)];
}

/** Not as text, where a comma would begin another part. */
function subjectOf(commonName: string): JsonName {
  return [{ CN: [commonName] }];
}

function newKeys(): Promise<Keys> {
  return webcrypto.subtle.generateKey(KEY, true, ["sign", "verify"]);
}

function newSerial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(SERIAL_BYTES));
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}

async function signingKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ format: "der", type: "pkcs8" });
  return webcrypto.subtle.importKey("pkcs8", der, KEY, false, ["sign"]);
}

async function pairOf(certificate: X509Certificate, keys: Keys): Promise<Pair> {
  const [read] = certificatesIn(`${certificate.toString("pem")}\n`, "a certificate just issued");
  assert(read !== undefined, "what was issued can be read");
  const der = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  const key = createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });
  return { certificate: read, key: key.export({ format: "pem", type: "pkcs8" }).toString() };
}
