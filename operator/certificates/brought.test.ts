import assert from "node:assert/strict";
import { test } from "node:test";
import { CA, SERVER, STRANGE_CA } from "../../test/support/certificates.ts";
import { type BroughtWants, readBrought } from "./brought.ts";
import { issueAuthority, issueLeaf, type Pair } from "./issue.ts";
import { CertificateProblem } from "./problem.ts";

const HOUR = 3600_000;
const now = Date.now();
const names = { commonName: "x", dnsNames: ["*.peers.example.org", "api.example.org"], ips: [] };
const both = ["server", "client"] as const;

const authority = await issueAuthority({ commonName: "CA", now, lifetimeMs: 100 * HOUR });
const stranger = await issueAuthority({ commonName: "CA", now, lifetimeMs: 100 * HOUR });
const pair = await issueLeaf(authority, { names, usages: both, now, lifetimeMs: HOUR });

const WANTS: BroughtWants = { hosts: ["api.example.org", "a-0.peers.example.org"], usages: both, now };

function texts(changes: { ca?: string; certificate?: string; key?: string } = {}): ReadonlyMap<string, string> {
  const all = { ca: authority.certificate.pem, certificate: pair.certificate.pem, key: pair.key, ...changes };
  return new Map([
    ["ca.crt", all.ca],
    ["tls.crt", all.certificate],
    ["tls.key", all.key],
  ]);
}

const read = (from: ReadonlyMap<string, string>, changes: Partial<BroughtWants> = {}) =>
  readBrought("mine", from, { ...WANTS, ...changes });

function problem(from: ReadonlyMap<string, string>, changes: Partial<BroughtWants> = {}): string {
  try {
    read(from, changes);
  } catch (error) {
    assert.ok(error instanceof CertificateProblem, String(error));
    return error.message;
  }
  return "none";
}

test("a good Secret is taken: leaf, key, authorities", () => {
  const { certificate, key, authorities, chain } = read(texts());
  assert.equal(certificate.fingerprint, pair.certificate.fingerprint);
  assert.equal(key, pair.key);
  assert.deepEqual([authorities.length, chain.length], [1, 1]);
});

test("what is missing or no PEM is named with its Secret and key", () => {
  for (const key of ["ca.crt", "tls.crt", "tls.key"]) {
    const without = new Map(texts());
    without.delete(key);
    assert.match(problem(without), new RegExp(`Secret "mine" has no "${key}": give it ca.crt, tls.crt and tls.key`));
  }
  assert.match(problem(texts({ ca: "nonsense" })), /key "ca.crt" holds no certificate: put PEM text there/);
  assert.match(problem(texts({ key: "nonsense" })), /key "tls.key" cannot be read .*: put an unencrypted private key/);
  const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  assert.match(problem(texts({ certificate: broken })), /"tls.crt", certificate 1 cannot be read/);
  assert.match(problem(texts({ ca: authority.certificate.pem.repeat(501) })), /holds 501 certificates: keep 500/);
});

test("a key of another certificate is refused", async () => {
  const other = await issueLeaf(authority, { names, usages: both, now, lifetimeMs: HOUR });
  assert.match(problem(texts({ key: other.key })), /tls.key is not the key of tls.crt: put both of one pair there/);
});

test("what is not good today is refused, with its date", () => {
  assert.match(problem(texts(), { now: now + 2 * HOUR }), /tls.crt has expired at 20..-..-..T.*: renew it/);
  assert.match(problem(texts(), { now: now - HOUR }), /tls.crt is not good before 20/);
});

test("a certificate that no authority in ca.crt has signed is refused, one of its name is no help", () => {
  assert.match(problem(texts({ ca: stranger.certificate.pem })), /no authority in ca.crt .* has signed tls.crt/);
  assert.equal(problem(texts({ ca: stranger.certificate.pem + authority.certificate.pem })), "none");
  assert.match(problem(texts({ ca: pair.certificate.pem })), /no authority in ca.crt/, "a leaf is no authority");
});

test("a name that members or clients need and a use that is not allowed are named", async () => {
  assert.match(problem(texts(), { hosts: ["b.example.org"] }), /not good for "b.example.org": issue it with that name/);
  const leafFor = (usages: readonly ("server" | "client")[]): Promise<Pair> =>
    issueLeaf(authority, { names, usages, now, lifetimeMs: HOUR });
  const served = await leafFor(["server"]);
  const from = texts({ certificate: served.certificate.pem, key: served.key });
  assert.match(problem(from), /may not be used as a client's: issue it with the extended key usage clientAuth/);
  assert.equal(problem(from, { usages: ["server"] }), "none");
  const asked = await leafFor(["client"]);
  assert.match(problem(texts({ certificate: asked.certificate.pem, key: asked.key })), /usage serverAuth/);
});

test("certificates that other programs made are read, too", () => {
  const from = new Map([
    ["ca.crt", CA],
    ["tls.crt", SERVER.cert],
    ["tls.key", SERVER.key],
  ]);
  const wants = { hosts: ["localhost"], usages: ["server"], now } as const;
  assert.equal(readBrought("mine", from, wants).authorities.length, 1);
  assert.throws(() => readBrought("mine", new Map([...from, ["ca.crt", STRANGE_CA]]), wants), /has signed tls.crt/);
});
