/** A real server that shows clients a certificate of its own making. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect as http2Connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { utf8Bytes } from "../../server/base/bytes.ts";
import { connect } from "../../server/client/client.ts";
import { RangeRequest, RangeResponse } from "../../server/proto/etcdserverpb.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { CA, CLIENT } from "../support/certificates.ts";
import { ServerProcess } from "../support/server-process.ts";

const { kv } = SERVICES;
const CALL = { timeoutMs: 10_000 };

async function start(t: TestContext, ...flags: string[]): Promise<ServerProcess> {
  const server = await ServerProcess.start({ scheme: "https", flags: ["--auto-tls", ...flags] });
  t.after(() => server.remove());
  return server;
}

/** How many keys a client counts that looks at no certificate. */
async function countUnverified(server: ServerProcess): Promise<number> {
  const session = http2Connect(server.url, { rejectUnauthorized: false });
  const stream = session.request({
    ":method": "POST",
    ":path": "/etcdserverpb.KV/Range",
    "content-type": "application/grpc",
    te: "trailers",
  });
  const message = RangeRequest.encode(RangeRequest.create({ key: utf8Bytes("key") }));
  stream.end(Buffer.concat([Buffer.of(0, 0, 0, 0, message.length), message]));
  const answer = await new Promise<Buffer>((resolve, reject) => {
    const pieces: Buffer[] = [];
    session.on("error", reject);
    stream.on("error", reject);
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("end", () => resolve(Buffer.concat(pieces)));
    stream.on("close", () => reject(new Error("closed")));
  }).finally(() => session.destroy());
  assert.ok(answer.length > 5, "an answer has come");
  return RangeResponse.decode(answer.subarray(5)).count;
}

test("--auto-tls: who trusts the certificate and who checks none are served, and it is kept", async (t) => {
  const server = await start(t);
  const files = ["cert.pem", "key.pem"].map((name) => join(server.dataDir, "fixtures", "client", name));
  const [certificate] = files.map((file) => readFileSync(file, "utf8"));
  const trusting = connect(server.url, { tls: { ca: certificate } });
  t.after(() => trusting.close());
  await trusting.unary(kv.methods.put, { key: utf8Bytes("key"), value: utf8Bytes("v") }, CALL);
  assert.equal(await countUnverified(server), 1);
  const doubting = connect(server.url, { tls: { ca: CA } });
  t.after(() => doubting.close());
  const { status } = await doubting.call(kv.methods.range, { key: utf8Bytes("key") }, CALL);
  assert.equal(status.code, 14, status.text);
  assert.equal(existsSync(join(server.dataDir, "fixtures", "peer")), false);

  await server.stop();
  await server.launch();
  assert.equal(readFileSync(files[0] as string, "utf8"), certificate);
  assert.equal(await countUnverified(server), 1);
});

test("--auto-tls with an authority for clients still asks for their certificates", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-auto-tls-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "ca.pem"), CA);
  const server = await start(t, "--client-cert-auth", `--trusted-ca-file=${join(folder, "ca.pem")}`);
  const ca = readFileSync(join(server.dataDir, "fixtures", "client", "cert.pem"), "utf8");
  const known = connect(server.url, { tls: { ca, ...CLIENT } });
  t.after(() => known.close());
  await known.unary(kv.methods.range, { key: utf8Bytes("key") }, CALL);
  await assert.rejects(countUnverified(server));
  assert.match(server.log, /rejected connection on client endpoint.*client didn't provide a certificate/);
});
