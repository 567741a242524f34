/** The paths for operators over HTTP/2, by either engine, plain and with TLS: the answers are those of HTTP/1. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingHttpHeaders, request as requestHttp1 } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { CA, SERVER } from "../../test/support/certificates.ts";
import { FakeMember } from "../../test/support/fake-member.ts";
import { NO_TLS, startRpcServer } from "../../test/support/rpc-server.ts";
import { Registry } from "../metrics/registry.ts";
import { createSeries } from "../metrics/series.ts";
import type { Access } from "./access.ts";
import { opsListener } from "./http1.ts";
import { http2Ops } from "./http2-ops.ts";
import type { OpsFacts } from "./ops.ts";

const FACTS: OpsFacts = {
  alarms: () => [],
  leaderId: () => 7n,
  isLearner: () => false,
  serializableRead: async () => undefined,
  linearizableRead: () => Promise.reject(new Error("slow")),
  errorText: (error) => (error as Error).message,
  versions: () => ({ server: "3.7.3", cluster: "3.7.0", storage: "3.7.0", kvorum: "0.1.0" }),
  metricsText: async () => ({ contentType: "text/plain; version=0.0.4", body: `${"a 1\n".repeat(30_000)}` }),
  series: createSeries(new Registry()),
  log: { debug: () => undefined, warn: () => undefined, error: () => undefined },
};

type Asked = readonly [method: string, target: string, headers?: Readonly<Record<string, string>>];

const ASKED: readonly Asked[] = [
  ["GET", "/health"],
  ["GET", "/health?serializable=true"],
  ["GET", "/livez"],
  ["GET", "/readyz?verbose"],
  ["GET", "/readyz/linearizable_read"],
  ["GET", "/version"],
  ["HEAD", "/version"],
  ["PUT", "/version"],
  ["GET", "/metrics"],
  ["GET", "/metrics", { "accept-encoding": "gzip" }],
  ["GET", "/debug/vars"],
  ["GET", "//health"],
  ["GET", "/%zz"],
  ["OPTIONS", "/version"],
  ["GET", "/version", { origin: "http://a.example" }],
];
const ACCESSES: readonly Access[] = [
  { hosts: ["*"], origins: ["*"] },
  { hosts: ["other.example"], origins: ["http://a.example"] },
];

/** Status, headers that do not belong to a version of HTTP, and the body. */
function shown(status: unknown, headers: IncomingHttpHeaders, body: Buffer): string {
  const kept = Object.entries(headers)
    .filter(([name]) => !/^(:status|date|connection|keep-alive)$/.test(name))
    .map(([name, value]) => `${name}: ${value}`);
  return [status, ...kept.sort(), body.toString("latin1")].join("\n");
}

function overHttp1(url: string, [method, path, headers = {}]: Asked): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const request = requestHttp1({ host: hostname, port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => resolve(shown(response.statusCode, response.headers, Buffer.concat(chunks))));
    });
    request.on("error", reject).end();
  });
}

function overHttp2(url: string, [method, path, headers = {}]: Asked): Promise<string> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(url, { ca: CA, servername: "localhost" });
    session.on("error", reject);
    const stream = session.request({ ":method": method, ":path": path, ":authority": new URL(url).host, ...headers });
    let head: IncomingHttpHeaders = {};
    const chunks: Buffer[] = [];
    stream.on("response", (got) => {
      head = got;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      session.destroy();
      resolve(shown(head[":status"], head, Buffer.concat(chunks)));
    });
    stream.on("error", reject);
    stream.end();
  });
}

function tlsFiles(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-ops-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  writeFileSync(certFile, SERVER.cert);
  writeFileSync(keyFile, SERVER.key);
  return { ...NO_TLS, certFile, keyFile };
}

for (const engine of ["own", "grpc-js"] as const) {
  test(`over HTTP/2, plain and with TLS, the answers are those of HTTP/1 (${engine})`, async (t) => {
    const tls = tlsFiles(t);
    for (const access of ACCESSES) {
      const options = { facts: FACTS, place: "client", access } as const;
      const server = await startRpcServer(new FakeMember(), {
        urls: ["http://127.0.0.1:0", "https://127.0.0.1:0"],
        tls,
        http: opsListener(options),
        ...(engine === "own" ? { own: { http: http2Ops(options) } } : {}),
      });
      t.after(() => server.stop(0));
      const [plain, secure] = server.urls as [string, string];
      for (const asked of ASKED) {
        const expected = await overHttp1(plain, asked);
        const what = `${asked.join(" ")} ${access.hosts}`;
        assert.equal(await overHttp2(plain, asked), expected, `${what}, plain`);
        // The check of hosts is for plain connections alone.
        if (access === ACCESSES[0]) assert.equal(await overHttp2(secure, asked), expected, `${what}, TLS`);
      }
    }
  });
}
