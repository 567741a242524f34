import assert from "node:assert/strict";
import { test } from "node:test";
import { handshake } from "../../test/operator/handshake.ts";
import { clusterWith } from "../../test/operator/rendered.ts";
import { subjectNames } from "../api/tls-names.ts";
import { isSignedBy } from "./brought.ts";
import { missingNames } from "./held.ts";
import { BACKDATED_MS, issueAuthority, issueLeaf, type Pair } from "./issue.ts";

const HOUR = 3600_000;
const now = Date.now();
const HOST = "example-7.example-peers.default.svc";

const authority = await issueAuthority({ commonName: "example peer CA", now, lifetimeMs: 1000 * HOUR });
const stranger = await issueAuthority({ commonName: "example peer CA", now, lifetimeMs: 1000 * HOUR });

const leafOf = (signer: Pair, changes: Partial<Parameters<typeof issueLeaf>[1]> = {}): Promise<Pair> =>
  issueLeaf(signer, {
    names: subjectNames(clusterWith(), "peer"),
    usages: ["server", "client"],
    now,
    lifetimeMs: HOUR,
    ...changes,
  });

const shown = ({ certificate, key }: Pair) => ({ cert: certificate.pem, key });
const trusting = (...authorities: readonly Pair[]) => ({
  ca: authorities.map(({ certificate }) => certificate.pem).join(""),
});

test("two members that one authority has signed take each other", async () => {
  const [one, other] = [await leafOf(authority), await leafOf(authority)];
  const [server, client] = [
    { ...shown(one), ...trusting(authority) },
    { ...shown(other), ...trusting(authority) },
  ];
  assert.equal(await handshake(server, client, HOST), "ok");
});

test("an authority of the same name with another key is a stranger, on either end", async () => {
  const [ours, theirs] = [await leafOf(authority), await leafOf(stranger)];
  const server = { ...shown(ours), ...trusting(authority) };
  assert.notEqual(await handshake(server, { ...shown(theirs), ...trusting(authority) }, HOST), "ok");
  assert.notEqual(await handshake(server, { ...shown(ours), ...trusting(stranger) }, HOST), "ok");
  const both = { ...shown(ours), ...trusting(stranger, authority) };
  assert.equal(await handshake(both, { ...shown(theirs), ...trusting(stranger, authority) }, HOST), "ok");
});

test("a certificate is good for its names and no others, and for its use and no other", async () => {
  const server = shown(await leafOf(authority, { names: subjectNames(clusterWith(), "server") }));
  const client = trusting(authority);
  for (const host of ["example-client.default.svc", "example-client", "localhost", HOST])
    assert.equal(await handshake(server, client, host), "ok", host);
  assert.match(await handshake(server, client, "other-client.default.svc"), /does not match|altnames/i);
  const operator = await leafOf(authority, { names: subjectNames(clusterWith(), "operator"), usages: ["client"] });
  assert.equal(await handshake({ ...server, ...trusting(authority) }, { ...client, ...shown(operator) }, HOST), "ok");
  assert.notEqual(await handshake(shown(operator), client, HOST), "ok");
});

test("without a certificate nobody gets past a member that asks for one", async () => {
  const server = { ...shown(await leafOf(authority)), ...trusting(authority) };
  assert.notEqual(await handshake(server, trusting(authority), HOST), "ok");
});

test("what has ended is taken by nobody", async () => {
  const ended = await leafOf(authority, { now: now - 3 * HOUR, lifetimeMs: HOUR });
  assert.match(await handshake(shown(ended), trusting(authority), HOST), /expired/);
});

test("a certificate begins a little before now and ends with its authority at the latest", async () => {
  const { certificate } = await leafOf(authority, { lifetimeMs: 5000 * HOUR });
  assert.equal(certificate.notAfter, authority.certificate.notAfter);
  const begins = Math.max(now - BACKDATED_MS, authority.certificate.notBefore);
  assert.equal(certificate.notBefore, Math.floor(begins / 1000) * 1000);
});

test("a new certificate holds all names asked for, addresses of both families too", async () => {
  const names = {
    commonName: "kvorum-server",
    dnsNames: ["a.example.org", "*.b.example.org"],
    ips: ["192.0.2.1", "2001:db8::1", "::1"],
  };
  const { certificate } = await leafOf(authority, { names });
  assert.deepEqual(missingNames(certificate, names), []);
  assert.deepEqual(missingNames(certificate, { ...names, dnsNames: ["c.example.org"], ips: ["192.0.2.2"] }), [
    "c.example.org",
    "192.0.2.2",
  ]);
});

test("a name with a comma stays one name", async () => {
  const odd = await issueAuthority({ commonName: "a, O=b", now, lifetimeMs: HOUR });
  assert.equal(odd.certificate.x509.subject, "CN=a\\, O=b");
  assert.ok(isSignedBy((await leafOf(odd)).certificate, odd.certificate));
});

test("an authority signs leaves alone: what a leaf signs is signed by nobody", async () => {
  const leaf = await leafOf(authority);
  const below = await leafOf(leaf);
  assert.ok(isSignedBy(leaf.certificate, authority.certificate));
  assert.ok(!isSignedBy(below.certificate, leaf.certificate));
  const chain = { cert: below.certificate.pem + leaf.certificate.pem, key: below.key };
  assert.notEqual(await handshake(chain, trusting(authority), HOST), "ok");
});

test("no two certificates share a serial number or a key", async () => {
  const [one, other] = [await leafOf(authority), await leafOf(authority)];
  assert.notEqual(one.certificate.x509.serialNumber, other.certificate.x509.serialNumber);
  assert.notEqual(one.key, other.key);
  assert.match(one.certificate.fingerprint, /^[0-9a-f]{64}$/);
});
