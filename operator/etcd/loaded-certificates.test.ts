import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { EtcdRefusal } from "./etcd-admin.ts";
import { fingerprintsIn, readLoadedCertificates } from "./loaded-certificates.ts";

const [A, B, C] = ["a".repeat(64), "0".repeat(64), "c".repeat(64)];
const line = (listener: string, sha256: string, value = 1) =>
  `kvorum_tls_certificate_loaded{file="/tls.crt",kind="leaf",listener="${listener}",sha256="${sha256}"} ${value}`;
const METRICS = [
  "# TYPE kvorum_tls_certificate_loaded gauge",
  line("client", A),
  line("client", C, 0),
  line("metrics", C),
  line("peer", A),
  line("peer", B),
  line("peer-client", B),
  `other{listener="client",sha256="${B}"} 1`,
  "",
].join("\n");

async function served(t: TestContext, answer: { status: number; text: string } | undefined): Promise<string> {
  const server = createServer((_request, response) => {
    if (answer !== undefined) response.writeHead(answer.status).end(answer.text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
}

test("fingerprintsIn() finds what is loaded now; for peers only what both ends have", () => {
  assert.deepEqual(fingerprintsIn(METRICS), { client: [A], peer: [B] });
  assert.deepEqual(fingerprintsIn(""), { client: [], peer: [] });
  assert.deepEqual(fingerprintsIn(line("peer", A)), { client: [], peer: [A] });
});

test("readLoadedCertificates() answers what the member says", async (t) => {
  const url = await served(t, { status: 200, text: METRICS });
  assert.deepEqual(await readLoadedCertificates(url, 5000), { client: [A], peer: [B] });
});

test("readLoadedCertificates() has an end, and never takes a failure for `none loaded`", async (t) => {
  const silent = await served(t, undefined);
  await assert.rejects(readLoadedCertificates(silent, 30), (error) => {
    return error instanceof EtcdRefusal && error.kind === "unknown" && /no answer within 30 ms/.test(error.message);
  });
  const broken = await served(t, { status: 503, text: "" });
  await assert.rejects(readLoadedCertificates(broken, 5000), /HTTP 503/);
});
