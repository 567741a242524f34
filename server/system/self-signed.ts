/**
 * A certificate that nobody has signed but its own key, for members that only want their traffic encrypted: as etcd makes
 * it, ECDSA on P-521 in `cert.pem` and `key.pem`, kept and used again by later starts. X.509 (RFC 5280) in DER.
 */
import { createPrivateKey, generateKeyPairSync, randomBytes, sign, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isIP, isIPv4 } from "node:net";
import { join } from "node:path";
import { WorldError } from "../base/error.ts";

export interface SelfSigned {
  readonly certFile: string;
  readonly keyFile: string;
}

const YEAR_MS = 365 * 24 * 3_600_000;

/**
 * The pair in `folder`, made when it is not there or its time is over: for `hosts` (names and addresses), good for `years`
 * from `nowMs` on (wall time). Throws `WorldError` when the folder cannot be used or holds something else.
 */
export function selfSignedPair(
  folder: string,
  { hosts, years, nowMs }: { readonly hosts: readonly string[]; readonly years: number; readonly nowMs: number },
): SelfSigned {
  const files = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") };
  try {
    if (existsSync(files.certFile) && existsSync(files.keyFile)) {
      const certificate = new X509Certificate(readFileSync(files.certFile));
      if (!certificate.checkPrivateKey(createPrivateKey(readFileSync(files.keyFile))))
        throw new Error("the key is not that of the certificate: remove both files, and they are made anew");
      if (isGood(certificate, nowMs)) return files;
    }
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    rmSync(files.keyFile, { force: true });
    const made = makePair(hosts, { fromMs: nowMs, toMs: nowMs + years * YEAR_MS });
    // The key last: a start that is cut off in between makes both anew.
    writeFileSync(files.certFile, made.cert, { mode: 0o600 });
    writeFileSync(files.keyFile, made.key, { mode: 0o600 });
    return files;
  } catch (error) {
    throw new WorldError(`make or use a certificate in "${folder}"`, error);
  }
}

/** Also of one that was made while the clock was wrong. */
function isGood({ validFrom, validTo }: X509Certificate, nowMs: number): boolean {
  return Date.parse(validFrom) <= nowMs && nowMs < Date.parse(validTo);
}

function makePair(hosts: readonly string[], { fromMs, toMs }: { fromMs: number; toMs: number }) {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-521" });
  const signedWith = der(0x30, objectId(ECDSA_WITH_SHA512));
  const name = der(0x30, der(0x31, der(0x30, objectId(ORGANIZATION), der(0x0c, Buffer.from("etcd")))));
  const serial = randomBytes(16);
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40; // positive, in the fewest bytes
  const body = der(
    0x30,
    der(0xa0, der(0x02, Buffer.of(2))), // version 3
    der(0x02, serial),
    signedWith,
    name,
    der(0x30, time(fromMs), time(toMs)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, der(0x30, ...extensions(hosts))),
  );
  const certificate = der(0x30, body, signedWith, der(0x03, Buffer.of(0), sign("sha512", body, privateKey)));
  const lines = certificate.toString("base64").replace(/(.{64})(?=.)/g, "$1\n");
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "sec1", format: "pem" }),
  };
}

const ECDSA_WITH_SHA512 = "2a8648ce3d040304"; // 1.2.840.10045.4.3.4
const ORGANIZATION = "55040a"; // 2.5.4.10
const KEY_USAGE = "551d0f";
const EXTENDED_KEY_USAGE = "551d25";
const BASIC_CONSTRAINTS = "551d13";
const SUBJECT_ALTERNATIVES = "551d11";
const SERVER_AUTH = "2b06010505070301";
const CLIENT_AUTH = "2b06010505070302";
const TRUE = Buffer.of(0x01, 0x01, 0xff);

function extensions(hosts: readonly string[]): Buffer[] {
  const names = hosts.map((host) => (isIP(host) === 0 ? der(0x82, Buffer.from(host)) : der(0x87, addressBytes(host))));
  return [
    // digitalSignature and keyEncipherment
    der(0x30, objectId(KEY_USAGE), TRUE, der(0x04, der(0x03, Buffer.of(5, 0xa0)))),
    der(0x30, objectId(EXTENDED_KEY_USAGE), der(0x04, der(0x30, objectId(SERVER_AUTH), objectId(CLIENT_AUTH)))),
    der(0x30, objectId(BASIC_CONSTRAINTS), TRUE, der(0x04, der(0x30))),
    ...(names.length === 0 ? [] : [der(0x30, objectId(SUBJECT_ALTERNATIVES), der(0x04, der(0x30, ...names)))]),
  ];
}

/** Four bytes, or sixteen. */
function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split(".").map(Number));
  const [head = "", tail] = address.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16)));
  const [front, back] = [groups(head), groups(tail ?? "")];
  const all = [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

/** UTCTime until 2049, GeneralizedTime after it. */
function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "");
  return Number(text.slice(0, 4)) < 2050 ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text));
}

function objectId(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

/** One value: tag, length, content. */
function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat(content);
  const { length } = bytes;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), bytes]);
  if (length < 0x100) return Buffer.concat([Buffer.of(tag, 0x81, length), bytes]);
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 0xff), bytes]);
}
