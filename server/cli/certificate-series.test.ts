import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { CA, type CertificatePair, RENEWED_SERVER, SERVER, STRANGE_CA } from "../../test/support/certificates.ts";
import { recordingLogger } from "../../test/support/rpc-server.ts";
import { Registry } from "../metrics/registry.ts";
import { createSeries } from "../metrics/series.ts";
import { type LoadedCertificate, TlsFiles } from "../system/tls-files.ts";
import { type CertificateUse, MAX_SHOWN, scrapeCertificates } from "./certificate-series.ts";

/** As openssl x509 -fingerprint -sha256 prints it, without colons. */
const sha256 = (pem: string): string => new X509Certificate(pem).fingerprint256.replaceAll(":", "").toLowerCase();
/** 2099-12-31T00:00:00Z */
const END = 4_102_358_400;

class Folder {
  readonly path: string;

  constructor(t: TestContext) {
    this.path = mkdtempSync(join(tmpdir(), "kvorum-certificates-"));
    t.after(() => rmSync(this.path, { recursive: true, force: true }));
  }

  file(name: string): string {
    return join(this.path, name);
  }

  write(pair: CertificatePair, ca: string): void {
    writeFileSync(this.file("tls.crt"), pair.cert);
    writeFileSync(this.file("tls.key"), pair.key);
    writeFileSync(this.file("ca.crt"), ca);
  }

  open(): TlsFiles {
    const [certFile, keyFile, trustedCaFile] = ["tls.crt", "tls.key", "ca.crt"].map((name) => this.file(name)) as [
      string,
      string,
      string,
    ];
    const versions = { minVersion: "TLSv1.2", maxVersion: "TLSv1.3", ciphers: undefined } as const;
    return new TlsFiles({ certFile, keyFile, trustedCaFile, ...versions }, recordingLogger());
  }
}

/** The lines of our series of certificates, each scrape anew. */
function scraped(...uses: CertificateUse[]): () => Promise<string[]> {
  const registry = new Registry();
  scrapeCertificates(registry, createSeries(registry), uses);
  return async () => (await registry.text()).body.split("\n").filter((line) => line.startsWith("kvorum_tls_"));
}

const use = (listener: string, files: TlsFiles): CertificateUse => ({
  listener,
  files,
  refresh: () => void files.refresh(),
});

test("the leaf and every authority of a listener are shown with file, fingerprint and end", async (t) => {
  const folder = new Folder(t);
  folder.write({ cert: SERVER.cert + CA, key: SERVER.key }, CA + STRANGE_CA);
  const lines = await scraped(use("client", folder.open()))();
  const loaded = (kind: string, file: string, pem: string) =>
    `kvorum_tls_certificate_loaded{file="${folder.file(file)}",kind="${kind}",listener="client",sha256="${sha256(pem)}"} 1`;
  const ends = (kind: string, pem: string) =>
    `kvorum_tls_certificate_not_after_seconds{kind="${kind}",listener="client",sha256="${sha256(pem)}"} ${END}`;
  assert.deepEqual(lines, [
    'kvorum_tls_authorities{listener="client"} 2',
    loaded("leaf", "tls.crt", SERVER.cert),
    loaded("authority", "ca.crt", CA),
    loaded("authority", "ca.crt", STRANGE_CA),
    ends("leaf", SERVER.cert),
    ends("authority", CA),
    ends("authority", STRANGE_CA),
    'kvorum_tls_files_unusable{listener="client"} 0',
  ]);
});

test("a scrape finds changed files by itself, and what is no longer loaded is no longer shown", async (t) => {
  const [client, peer] = [new Folder(t), new Folder(t)];
  client.write(SERVER, CA);
  peer.write(SERVER, CA);
  const lines = scraped(use("client", client.open()), use("peer", peer.open()));
  const shown = async (pem: string) =>
    (await lines()).filter((line) => line.includes("_loaded{") && line.includes(sha256(pem))).length;
  assert.equal(await shown(SERVER.cert), 2);
  client.write(RENEWED_SERVER, CA + STRANGE_CA);
  assert.equal(await shown(RENEWED_SERVER.cert), 1);
  assert.equal(await shown(SERVER.cert), 1, "the peers' is what it was");
  assert.equal(await shown(STRANGE_CA), 1);
});

test("changed files that cannot be used are said to be so, and what is in use stays shown", async (t) => {
  const folder = new Folder(t);
  folder.write(SERVER, CA);
  const lines = scraped(use("client", folder.open()));
  await lines();
  folder.write({ cert: RENEWED_SERVER.cert, key: SERVER.key }, CA);
  const broken = await lines();
  assert.ok(broken.includes('kvorum_tls_files_unusable{listener="client"} 1'));
  assert.ok(broken.some((line) => line.includes(sha256(SERVER.cert))));
  assert.ok(!broken.some((line) => line.includes(sha256(RENEWED_SERVER.cert))));
  folder.write(RENEWED_SERVER, CA);
  const mended = await lines();
  assert.ok(mended.includes('kvorum_tls_files_unusable{listener="client"} 0'));
  assert.ok(mended.some((line) => line.includes(sha256(RENEWED_SERVER.cert))));
});

test("of many authorities so many are shown and all are counted", async () => {
  const loaded: LoadedCertificate[] = Array.from({ length: MAX_SHOWN + 50 }, (_, index) => ({
    kind: "authority",
    file: "/ca.crt",
    sha256: index.toString(16).padStart(64, "0"),
    notAfterSeconds: 1,
  }));
  const files = { loaded, isOutdated: false };
  const lines = await scraped({ listener: "client", files, refresh: () => undefined })();
  assert.equal(lines.filter((line) => line.includes("_loaded{")).length, MAX_SHOWN);
  assert.ok(lines.includes(`kvorum_tls_authorities{listener="client"} ${MAX_SHOWN + 50}`));
});
