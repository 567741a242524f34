/** TLS between members: who is let in, who is dialled, and files that change. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerCertificate } from "node:tls";
import {
  CA,
  type CertificatePair,
  CLIENT,
  EXPIRED_CLIENT,
  RENEWED_SERVER,
  SERVER,
  STRANGE_CLIENT,
} from "../../test/support/certificates.ts";
import { KEPT, REVOCATIONS, REVOKED, REVOKING_CA } from "../../test/support/revoked-certificates.ts";
import { LogLines } from "../../test/support/settling.ts";
import { connected, eventually, TransportMember } from "../../test/support/transport-member.ts";
import { addressProblem, type CertificateFiles, PeerCertificates, type PeerTlsOptions } from "./peer-certificates.ts";

function fixed({ cert, key }: CertificatePair, ca = CA): CertificateFiles {
  return { options: { cert, key, ca }, refresh: () => false };
}

function certificates(options: Partial<PeerTlsOptions> = {}): { certificates: PeerCertificates; log: LogLines } {
  const log = new LogLines();
  return {
    certificates: new PeerCertificates({ server: fixed(SERVER), isClientRequired: true, logger: log, ...options }),
    log,
  };
}

/** Two members; `ours` is what the first one is strict with, `theirs` what the second shows. */
async function withTwo(
  ours: Partial<PeerTlsOptions>,
  theirs: Partial<PeerTlsOptions>,
  body: (one: TransportMember, two: TransportMember, log: LogLines) => Promise<void>,
): Promise<void> {
  const strict = certificates(ours);
  const one = await TransportMember.start(1n, strict);
  const two = await TransportMember.start(2n, certificates(theirs));
  try {
    await body(one, two, strict.log);
  } finally {
    await Promise.all([one.close(), two.close()]);
  }
}

async function isLetIn(ours: Partial<PeerTlsOptions>, theirs: Partial<PeerTlsOptions>): Promise<string | true> {
  let result: string | true = true;
  await withTwo(ours, theirs, async (one, two, log) => {
    two.meet(one);
    two.network.send([two.heartbeat(1n, 1)]);
    await eventually(() => two.lost.length > 0 || one.messages.length > 0, "it is let in or not");
    if (one.messages.length === 0) {
      await eventually(() => log.of("warn").includes("rejected connection on peer endpoint"), "the log says why");
      result = log.lines.map(({ fields }) => String(fields["error"])).join();
    }
  });
  return result;
}

test("members with certificates of one authority talk by all ways", async () => {
  await withTwo({}, {}, async (one, two) => {
    one.meet(two);
    two.meet(one);
    await connected(one, two);
    one.network.send([one.heartbeat(2n, 7)]);
    await eventually(() => two.messages.length === 1, "a message arrives");
    assert.deepEqual([...one.lost, ...two.lost], []);
  });
});

test("no certificate, a stranger's and an expired one are turned away with the reason in the log", async () => {
  const noCertificate = { options: { ca: CA }, refresh: () => false };
  assert.match(String(await isLetIn({}, { client: noCertificate })), /client didn't provide a certificate/);
  assert.match(String(await isLetIn({}, { client: fixed(STRANGE_CLIENT) })), /failed to verify certificate/);
  assert.match(String(await isLetIn({}, { client: fixed(EXPIRED_CLIENT) })), /CERT_HAS_EXPIRED/);
});

test("a member whose certificate was taken back is neither let in nor dialled", async () => {
  const files = (pair: CertificatePair): CertificateFiles => {
    const { cert, key } = pair;
    return { options: { cert, key, ca: REVOKING_CA, crl: REVOCATIONS }, refresh: () => false };
  };
  const careless = { server: fixed(REVOKED, REVOKING_CA) };
  assert.equal(await isLetIn({ server: files(KEPT) }, { server: files(KEPT) }), true);
  assert.match(String(await isLetIn({ server: files(KEPT) }, careless)), /failed to verify certificate: CERT_REVOKED/);
  await withTwo({ server: files(KEPT) }, careless, async (one, two) => {
    one.meet(two);
    one.network.send([one.heartbeat(2n, 1)]);
    await eventually(() => one.lost.length > 0, "it is not reached");
    assert.deepEqual(two.messages, []);
  });
});

test("a client certificate of its own is shown to those who are dialled", async () => {
  assert.equal(await isLetIn({ skipsAddressCheck: true }, { client: fixed(CLIENT) }), true);
});

test("only allowed common names are let in", async () => {
  const allowedCommonNames = ["somebody", "kvorum-test-server"];
  assert.equal(await isLetIn({ allowedCommonNames }, {}), true);
  assert.match(
    String(await isLetIn({ allowedCommonNames }, { server: fixed(RENEWED_SERVER) })),
    /common name "kvorum-test-server-2" is none of those allowed/,
  );
});

test("only certificates for allowed host names are let in", async () => {
  assert.equal(await isLetIn({ allowedHostnames: ["elsewhere", "localhost"] }, {}), true);
  assert.match(String(await isLetIn({ allowedHostnames: ["elsewhere"] }, {})), /none of those allowed/);
});

test("one whose certificate is not allowed is not dialled either", async () => {
  await withTwo({ allowedCommonNames: ["somebody"] }, {}, async (one, two) => {
    one.meet(two);
    one.network.send([one.heartbeat(2n, 1)]);
    await eventually(() => one.lost.length > 0, "it is not reached");
    assert.ok(one.log.lines.some(({ fields }) => /is none of those allowed/.test(String(fields["error"]))));
    assert.deepEqual(two.messages, []);
  });
});

test("a server that a stranger has signed is not talked to, unless anybody is trusted", async () => {
  await withTwo({}, { server: fixed(STRANGE_CLIENT) }, async (one, two) => {
    one.meet(two);
    one.network.send([one.heartbeat(2n, 1)]);
    await eventually(() => one.lost.length > 0, "it is not reached");
    assert.deepEqual(two.messages, []);
  });
  const anybody = { trustsAnybody: true, isClientRequired: false };
  await withTwo(anybody, { ...anybody, server: fixed(STRANGE_CLIENT) }, async (one, two) => {
    one.meet(two);
    one.network.send([one.heartbeat(2n, 1)]);
    await eventually(() => two.messages.length > 0, "it is reached");
  });
});

test("files that have changed are used for the next connection, in both directions", async () => {
  let current = SERVER;
  let isChanged = false;
  const files: CertificateFiles = {
    get options() {
      return { cert: current.cert, key: current.key, ca: CA };
    },
    refresh: () => {
      const was = isChanged;
      isChanged = false;
      return was;
    },
  };
  const seen = async (other: Partial<PeerTlsOptions>, ours: Partial<PeerTlsOptions>) => isLetIn(other, ours);
  const allowedCommonNames = ["kvorum-test-server-2"];
  assert.notEqual(await seen({ allowedCommonNames }, { server: files }), true);
  current = RENEWED_SERVER;
  isChanged = true;
  assert.equal(await seen({ allowedCommonNames, server: fixed(RENEWED_SERVER) }, { server: files }), true);
});

test("refresh() looks at what is shown to those who dial and at what is shown to those we dial", () => {
  const asked: string[] = [];
  const files = (name: string): CertificateFiles => {
    const { options } = fixed(SERVER);
    return { options, refresh: () => asked.push(name) === 0 };
  };
  const one = files("server");
  certificates({ server: one, client: files("client") }).certificates.refresh();
  assert.deepEqual(asked.splice(0), ["server", "client"]);
  certificates({ server: one, client: one }).certificates.refresh();
  certificates({ server: one }).certificates.refresh();
  assert.deepEqual(asked, ["server", "server"]);
});

test("one that dials must call from an address that its certificate is for", async () => {
  const certificate = (subjectaltname: string) => ({ subject: { CN: "x" }, subjectaltname }) as PeerCertificate;
  assert.equal(await addressProblem(certificate(""), "10.0.0.1"), undefined);
  assert.equal(await addressProblem(certificate("IP Address:10.0.0.1"), "::ffff:10.0.0.1"), undefined);
  assert.match(
    String(await addressProblem(certificate("IP Address:10.0.0.2"), "10.0.0.1")),
    /is for 10.0.0.2, not for/,
  );
  assert.equal(await addressProblem(certificate("DNS:localhost"), "127.0.0.1"), undefined);
  const other = certificate("DNS:localhost, IP Address:10.0.0.2");
  assert.match(String(await addressProblem(other, "127.9.9.9")), /does not match any of DNSNames \["localhost"\]/);
});
