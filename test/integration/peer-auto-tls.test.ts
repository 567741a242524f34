/** Two real members that talk with certificates of their own making. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { connect as tlsConnect } from "node:tls";
import { utf8Bytes } from "../../server/base/bytes.ts";
import { connect } from "../../server/client/client.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { ServerProcess } from "../support/server-process.ts";

const { kv } = SERVICES;

test("--peer-auto-tls: members find each other, and keep their certificates", { timeout: 60_000 }, async (t) => {
  const flags: [string[], string[]] = [["--name=one"], ["--name=two"]];
  const one = await ServerProcess.prepare({ flags: flags[0] });
  const two = await ServerProcess.prepare({ flags: flags[1] });
  const urlOf = (server: ServerProcess) => `https://127.0.0.1:${server.peerPort}`;
  for (const [at, server] of [one, two].entries()) {
    t.after(() => server.remove());
    flags[at]?.push(
      "--peer-auto-tls",
      `--listen-peer-urls=${urlOf(server)}`,
      `--initial-advertise-peer-urls=${urlOf(server)}`,
      `--initial-cluster=one=${urlOf(one)},two=${urlOf(two)}`,
    );
  }
  await Promise.all([one.launch(), two.launch()]);
  const [first, second] = [connect(one.url), connect(two.url)];
  t.after(() => first.close());
  t.after(() => second.close());
  const call = { timeoutMs: 10_000 };
  await first.unary(kv.methods.put, { key: utf8Bytes("key"), value: utf8Bytes("v") }, call);
  assert.equal((await second.unary(kv.methods.range, { key: utf8Bytes("key") }, call)).kvs.length, 1);

  const certFile = join(one.dataDir, "fixtures", "peer", "cert.pem");
  const certificate = readFileSync(certFile, "utf8");
  const shown = await new Promise<Buffer>((resolve, reject) => {
    const socket = tlsConnect({ port: one.peerPort, host: "127.0.0.1", ca: certificate }, () => {
      resolve(socket.getPeerCertificate().raw);
      socket.destroy();
    }).on("error", reject);
  });
  assert.ok(certificate.replaceAll("\n", "").includes(shown.toString("base64")));

  await one.stop();
  await one.launch();
  assert.equal(readFileSync(certFile, "utf8"), certificate);
  await first.unary(kv.methods.put, { key: utf8Bytes("again"), value: utf8Bytes("v") }, call);
});
