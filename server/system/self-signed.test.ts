import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { selfSignedPair } from "./self-signed.ts";

const NOW_MS = Date.UTC(2030, 0, 2, 3, 4, 5);
const HOSTS = ["localhost", "127.0.0.1", "::1", "fe80::12:3"];

function folderOf(t: TestContext): string {
  const parent = mkdtempSync(join(tmpdir(), "kvorum-self-signed-"));
  t.after(() => rmSync(parent, { recursive: true, force: true }));
  return join(parent, "fixtures", "peer");
}

test("the certificate is its own issuer's, for the hosts and the time asked for", (t) => {
  const { certFile, keyFile } = selfSignedPair(folderOf(t), { hosts: HOSTS, years: 1, nowMs: NOW_MS });
  const certificate = new X509Certificate(readFileSync(certFile));
  assert.ok(certificate.verify(certificate.publicKey));
  assert.equal(certificate.subject, "O=etcd");
  assert.equal(certificate.issuer, "O=etcd");
  assert.equal(certificate.ca, false);
  assert.equal(certificate.checkHost("localhost"), "localhost");
  for (const address of HOSTS.slice(1)) assert.equal(certificate.checkIP(address), address);
  assert.equal(certificate.checkIP("127.0.0.2"), undefined);
  assert.equal(certificate.validFrom, "Jan  2 03:04:05 2030 GMT");
  assert.equal(certificate.validTo, "Jan  2 03:04:05 2031 GMT");
  assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, "secp521r1");
  assert.equal(statSync(keyFile).mode & 0o777, 0o600);
});

test("a time beyond 2049 is written as it must be", (t) => {
  const { certFile } = selfSignedPair(folderOf(t), { hosts: [], years: 30, nowMs: NOW_MS });
  assert.match(new X509Certificate(readFileSync(certFile)).validTo, /2059 GMT$/);
});

test("a pair whose time is over, or has not come, is made anew", (t) => {
  const folder = folderOf(t);
  const pairAt = (years: number) => {
    const nowMs = NOW_MS + years * 365 * 24 * 3_600_000;
    const { certFile } = selfSignedPair(folder, { hosts: HOSTS, years: 2, nowMs });
    return new X509Certificate(readFileSync(certFile)).validFrom.slice(-8);
  };
  assert.deepEqual([0, 1.9, 2, 3.9, 0].map(pairAt), ["2030 GMT", "2030 GMT", "2032 GMT", "2032 GMT", "2030 GMT"]);
});

test("a pair that is there is used again; one that does not fit is refused, with what to do", (t) => {
  const folder = folderOf(t);
  const first = selfSignedPair(folder, { hosts: HOSTS, years: 1, nowMs: NOW_MS });
  const bytes = readFileSync(first.certFile);
  assert.deepEqual(selfSignedPair(folder, { hosts: ["other"], years: 1, nowMs: NOW_MS }), first);
  assert.deepEqual(readFileSync(first.certFile), bytes);
  const other = selfSignedPair(`${folder}-2`, { hosts: HOSTS, years: 1, nowMs: NOW_MS });
  writeFileSync(first.keyFile, readFileSync(other.keyFile));
  assert.throws(() => selfSignedPair(folder, { hosts: HOSTS, years: 1, nowMs: NOW_MS }), /remove both files/);
});
