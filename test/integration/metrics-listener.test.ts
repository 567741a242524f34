/** What a kubelet and an operator ask a member on the listener that needs no certificate. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CA, type CertificatePair, RENEWED_SERVER, SERVER, STRANGE_CA } from "../support/certificates.ts";
import { freePorts, ServerProcess } from "../support/server-process.ts";

const fingerprint = (pem: string): string => new X509Certificate(pem).fingerprint256.replaceAll(":", "").toLowerCase();

test("a member with TLS says on a plain listener that it is ready, and which certificates it has loaded", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-metrics-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string) => join(folder, name);
  const write = ({ cert, key }: CertificatePair, ca: string) => {
    writeFileSync(path("tls.crt"), cert);
    writeFileSync(path("tls.key"), key);
    writeFileSync(path("ca.crt"), ca);
  };
  write(SERVER, CA);
  const [port] = await freePorts(1);
  const files = (prefix: string) => [
    `--${prefix}cert-file=${path("tls.crt")}`,
    `--${prefix}key-file=${path("tls.key")}`,
    `--${prefix}trusted-ca-file=${path("ca.crt")}`,
  ];
  const flags = [...files(""), ...files("peer-"), `--listen-metrics-urls=http://127.0.0.1:${port}`];
  const server = await ServerProcess.prepare({ scheme: "https", flags });
  t.after(() => server.remove());
  await server.launch();
  const get = async (what: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${what}`);
    return { status: response.status, body: await response.text() };
  };

  assert.deepEqual(await get("/readyz?linearizable=false"), { status: 200, body: "ok\n" });
  assert.deepEqual(await get("/readyz?linearizable"), { status: 200, body: "ok\n" });

  const loaded = async () =>
    [...(await get("/metrics")).body.matchAll(/^kvorum_tls_certificate_loaded\{(.*)\} 1$/gm)].map(([, labels = ""]) => {
      const label = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(labels)?.[1] ?? "";
      return `${label("listener")} ${label("kind")} ${label("sha256")}`;
    });
  const wanted = (leaf: string, ...authorities: string[]) =>
    ["client", "peer"].flatMap((listener) => [
      `${listener} leaf ${fingerprint(leaf)}`,
      ...authorities.map((authority) => `${listener} authority ${fingerprint(authority)}`),
    ]);
  assert.deepEqual(await loaded(), wanted(SERVER.cert, CA));
  write(RENEWED_SERVER, CA + STRANGE_CA);
  assert.deepEqual(await loaded(), wanted(RENEWED_SERVER.cert, CA, STRANGE_CA), "nobody had to connect first");
});
