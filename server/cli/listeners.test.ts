import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { createServer, connect as netConnect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as tlsConnect } from "node:tls";
import {
  CA,
  type CertificatePair,
  CLIENT,
  EXPIRED_CLIENT,
  RENEWED_SERVER,
  SERVER,
  STRANGE_CA,
  STRANGE_CLIENT,
} from "../../test/support/certificates.ts";
import { FakeMember } from "../../test/support/fake-member.ts";
import { KEPT, NO_REVOCATIONS, REVOCATIONS, REVOKED, REVOKING_CA } from "../../test/support/revoked-certificates.ts";
import {
  NO_TLS,
  type Overrides,
  type RpcServer,
  recordingLogger,
  startRpcServer,
} from "../../test/support/rpc-server.ts";
import { utf8Bytes } from "../base/bytes.ts";
import { type ClientOptions, connect } from "../client/client.ts";
import { parseAddress } from "../config/urls.ts";
import type { RangeRequest } from "../proto/etcdserverpb.ts";
import { SERVICES } from "../proto/services.ts";
import type { Call } from "../services/call.ts";
import { type ListenerOptions, Listeners } from "./listeners.ts";

const { kv, watch } = SERVICES;
const KEY = { key: utf8Bytes("a") };

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-listeners-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** TLS settings over files in a folder of the test's own, which it may change. */
function tlsFiles(
  t: TestContext,
  { ca = CA, ...settings }: Partial<ListenerOptions["tls"]> & { ca?: string } = {},
): ListenerOptions["tls"] & { readonly folder: string } {
  const folder = temporaryFolder(t);
  const certFile = join(folder, "server.pem");
  const keyFile = join(folder, "server.key");
  writeFileSync(certFile, SERVER.cert);
  writeFileSync(keyFile, SERVER.key);
  const trustedCaFile = ca === "" ? "" : join(folder, "ca.pem");
  if (ca !== "") writeFileSync(trustedCaFile, ca);
  return { ...NO_TLS, certFile, keyFile, trustedCaFile, clientCertAuth: ca !== "", ...settings, folder };
}

async function start(t: TestContext, options: Parameters<typeof startRpcServer>[1]): Promise<RpcServer> {
  const server = await startRpcServer(new FakeMember(), {
    http: (request, response) => response.end(`${request.method} ${request.url}`),
    ...options,
  });
  t.after(() => server.stop(0));
  return server;
}

/** One Range; the status, as "code text". */
async function range(t: TestContext, url: string, options: ClientOptions = {}): Promise<string> {
  const client = connect(url, options);
  t.after(() => client.close());
  const { status } = await client.call(kv.methods.range, KEY, { timeoutMs: 5000 });
  return `${status.code} ${status.text}`;
}

/** A GET over HTTP/1. */
function get(url: string, options: { ca?: string; pair?: CertificatePair; socketPath?: string } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith("https") ? httpsRequest : httpRequest;
    const request = send(
      url,
      { agent: false, ca: options.ca, ...options.pair, socketPath: options.socketPath },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => resolve(`HTTP/${response.httpVersion} ${response.statusCode} ${text}`));
      },
    );
    request.on("error", reject);
    request.end();
  });
}

/** The CN of the certificate that a server shows. */
function shownName(port: number, pair: CertificatePair, ca = CA): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ port, host: "127.0.0.1", servername: "localhost", ca, ...pair }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

async function rejections(server: RpcServer, count: number): Promise<string[]> {
  const lines = () => server.logger.lines.filter(({ message }) => message === "rejected connection on client endpoint");
  for (let waited = 0; lines().length < count && waited < 2000; waited += 10) await sleep(10);
  return lines().map(({ fields }) => String(fields["error"]));
}

test("one plain port speaks gRPC, HTTP/1 and the paths over HTTP/2", async (t) => {
  const server = await start(t, {});
  const [url] = server.urls as [string];
  assert.equal(await range(t, url), "0 ");
  assert.equal(await get(`${url}/health`), "HTTP/1.1 200 GET /health");
  const session = connectHttp2(url);
  t.after(() => session.destroy());
  const stream = session.request({ ":path": "/version" });
  let text = "";
  for await (const chunk of stream) text += chunk;
  assert.equal(text, "GET /version");
});

test("what is spoken is found in however many pieces the first bytes come", async (t) => {
  const server = await start(t, {});
  const [url] = server.urls as [string];
  const exchange = async (pieces: readonly string[]): Promise<string> => {
    const socket = netConnect(portOf(url), "127.0.0.1");
    socket.setNoDelay(true);
    for (const piece of pieces) {
      socket.write(Buffer.from(piece, "latin1"));
      await sleep(15);
    }
    return new Promise((resolve) =>
      socket.once("data", (data) => {
        resolve(data.toString("latin1"));
        socket.destroy();
      }),
    );
  };
  const http1 = await exchange(["P", "O", "ST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n"]);
  assert.match(http1, /^HTTP\/1\.1 200 OK/);
  const settings = "\0\0\0\x04\0\0\0\0\0";
  const http2 = await exchange(["P", "RI", " * HTTP/2.0\r\n", "\r\nSM\r\n\r\n", settings]);
  assert.equal(http2.charCodeAt(3), 4, "a settings frame comes back");
});

test("over TLS clients without the right certificate are turned away, with etcd's log line", async (t) => {
  const server = await start(t, { urls: ["https://127.0.0.1:0"], tls: tlsFiles(t) });
  const [url] = server.urls as [string];
  const good = { ca: CA, cert: CLIENT.cert, key: CLIENT.key };
  assert.equal(await range(t, url, { tls: good }), "0 ");
  assert.equal(await get(`${url}/health`, { ca: CA, pair: CLIENT }), "HTTP/1.1 200 GET /health");

  for (const pair of [{}, STRANGE_CLIENT, EXPIRED_CLIENT]) {
    const status = await range(t, url, { tls: { ca: CA, ...pair } });
    assert.match(status, /^14 /);
  }
  await assert.rejects(get(url.replace("https", "http")));
  await assert.rejects(
    new Promise((_resolve, reject) =>
      tlsConnect({
        port: portOf(url),
        ca: CA,
        servername: "localhost",
        maxVersion: "TLSv1.1",
        minVersion: "TLSv1.1",
        ciphers: "DEFAULT@SECLEVEL=0",
      }).on("error", reject),
    ),
  );
  const texts = await rejections(server, 5);
  const expected = [
    "tls: client didn't provide a certificate",
    "tls: failed to verify certificate: x509: certificate signed by unknown authority",
    "tls: failed to verify certificate: x509: certificate has expired or is not yet valid",
    "tls: first record does not look like a TLS handshake",
    "tls: client offered only unsupported versions",
  ];
  for (const text of expected) assert.ok(texts.includes(text), `${text} in ${JSON.stringify(texts)}`);
  const line = server.logger.lines.find(({ fields }) => fields["error"] === expected[0]);
  assert.equal(line?.level, "warn");
  assert.match(String(line?.fields["remote-addr"]), /^127\.0\.0\.1:\d+$/);
  assert.deepEqual(Object.keys(line?.fields ?? {}), ["remote-addr", "server-name", "error"]);
  assert.equal(await range(t, url, { tls: good }), "0 ", "the server goes on");
});

test("a client whose certificate was taken back is turned away, from the next connection on", async (t) => {
  const files = tlsFiles(t, { ca: REVOKING_CA });
  const crlFile = join(files.folder, "revoked.pem");
  writeFileSync(crlFile, NO_REVOCATIONS);
  const server = await start(t, { urls: ["https://127.0.0.1:0"], tls: { ...files, crlFile } });
  const [url] = server.urls as [string];
  const shown = (pair: CertificatePair) => range(t, url, { tls: { ca: CA, ...pair } });
  assert.equal(await shown(REVOKED), "0 ", "while the list is empty");
  writeFileSync(crlFile, REVOCATIONS);
  assert.equal(await shown(KEPT), "0 ");
  assert.match(await shown(REVOKED), /^14 /);
  const [text] = await rejections(server, 1);
  assert.equal(text, "tls: failed to verify certificate: x509: certificate serial number is revoked");
});

test("a client that trusts another authority does not trust us", async (t) => {
  const server = await start(t, { urls: ["https://127.0.0.1:0"], tls: tlsFiles(t, { ca: "" }) });
  const [url] = server.urls as [string];
  assert.equal(await range(t, url, { tls: { ca: CA } }), "0 ", "without a CA of ours nobody needs a certificate");
  assert.match(await range(t, url, { tls: { ca: STRANGE_CA } }), /^14 /);
});

test("a trusted CA alone asks for certificates too", async (t) => {
  const tls = tlsFiles(t, { clientCertAuth: false });
  const server = await start(t, { urls: ["https://127.0.0.1:0"], tls });
  assert.match(await range(t, server.urls[0] as string, { tls: { ca: CA } }), /^14 /);
});

test("the name in a verified certificate reaches the services", async (t) => {
  const names: (string | undefined)[] = [];
  const handlers = (
    real: Parameters<NonNullable<NonNullable<Parameters<typeof startRpcServer>[1]>["handlers"]>>[0],
  ): Overrides => ({
    kv: {
      range: (request: RangeRequest, call: Call) => {
        names.push(call.commonName);
        return real.kv.range(request, call);
      },
    },
  });
  const server = await start(t, { urls: ["https://127.0.0.1:0"], tls: tlsFiles(t), handlers });
  await range(t, server.urls[0] as string, { tls: { ca: CA, ...CLIENT } });
  assert.deepEqual(names, ["alice"]);
  const open = await start(t, { urls: ["https://127.0.0.1:0"], tls: tlsFiles(t, { ca: "" }), handlers });
  await range(t, open.urls[0] as string, { tls: { ca: CA, ...CLIENT } });
  assert.deepEqual(names, ["alice", undefined], "one that nobody asked for says nothing");
});

test("renewed files are used by the next connection, and old connections live on", async (t) => {
  const tls = tlsFiles(t);
  const server = await start(t, { urls: ["https://127.0.0.1:0"], tls });
  const [url] = server.urls as [string];
  const client = connect(url, { tls: { ca: CA, ...CLIENT } });
  t.after(() => client.close());
  await client.unary(kv.methods.range, KEY);
  assert.equal(await shownName(portOf(url), CLIENT), "kvorum-test-server");
  writeFileSync(tls.certFile, RENEWED_SERVER.cert);
  assert.equal(await shownName(portOf(url), CLIENT), "kvorum-test-server", "certificate and key do not fit yet");
  writeFileSync(tls.keyFile, RENEWED_SERVER.key);
  assert.equal(await shownName(portOf(url), CLIENT), "kvorum-test-server-2");
  await client.unary(kv.methods.range, KEY);
  const reloads = server.logger.lines.filter(({ message }) => message.includes("TLS files"));
  assert.deepEqual(
    reloads.map(({ level }) => level),
    ["error", "info"],
  );
});

test("a renewed authority counts from the next connection on", async (t) => {
  const tls = tlsFiles(t);
  const server = await start(t, { urls: ["https://127.0.0.1:0"], tls });
  const [url] = server.urls as [string];
  const stranger = { tls: { ca: CA, ...STRANGE_CLIENT } };
  assert.match(await range(t, url, stranger), /^14 /);
  writeFileSync(tls.trustedCaFile, CA + STRANGE_CA);
  assert.equal(await range(t, url, stranger), "0 ");
  assert.equal(await range(t, url, { tls: { ca: CA, ...CLIENT } }), "0 ");
  writeFileSync(tls.trustedCaFile, STRANGE_CA);
  assert.match(await range(t, url, { tls: { ca: CA, ...CLIENT } }), /^14 /);
});

test("files that became unusable leave those read before in use, and are told of once", async (t) => {
  const tls = tlsFiles(t);
  const server = await start(t, { urls: ["https://127.0.0.1:0"], tls });
  const [url] = server.urls as [string];
  for (const break_ of [
    () => writeFileSync(tls.certFile, "garbage"),
    () => writeFileSync(tls.trustedCaFile, ""),
    () => rmSync(tls.keyFile),
  ]) {
    break_();
    assert.equal(await range(t, url, { tls: { ca: CA, ...CLIENT } }), "0 ");
    assert.equal(await range(t, url, { tls: { ca: CA, ...CLIENT } }), "0 ");
  }
  const errors = server.logger.lines.filter(({ level }) => level === "error");
  assert.equal(errors.length, 3);
  assert.match(String(errors[0]?.fields["error"]), /server\.pem.*no PEM certificate/);
  assert.match(String(errors[1]?.fields["error"]), /server\.pem|ca\.pem/);
});

test("a session of before does not open the door after the authority has changed", async (t) => {
  const tls = tlsFiles(t);
  const server = await start(t, { urls: ["https://127.0.0.1:0"], tls });
  const [url] = server.urls as [string];
  const common = {
    port: portOf(url),
    host: "127.0.0.1",
    servername: "localhost",
    ca: CA,
    ALPNProtocols: ["http/1.1"],
    ...CLIENT,
  };
  const ask = (session?: Buffer): Promise<{ answer: string; session: Buffer | undefined }> =>
    new Promise((resolve) => {
      const socket = tlsConnect({ ...common, session });
      let kept: Buffer | undefined;
      socket.on("session", (ticket) => {
        kept = ticket;
      });
      let answer = "";
      socket.on("data", (chunk) => {
        answer += chunk;
      });
      socket.on("error", () => undefined);
      socket.on("close", () => resolve({ answer, session: kept ?? socket.getSession() }));
      socket.write("GET /x HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
    });
  const first = await ask();
  assert.match(first.answer, /^HTTP\/1\.1 200/);
  writeFileSync(tls.trustedCaFile, STRANGE_CA);
  assert.equal((await ask(first.session)).answer, "");
});

test("only the ciphers and versions asked for are spoken", async (t) => {
  const tls = tlsFiles(t, { ca: "", ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384" });
  const server = await start(t, { urls: ["https://127.0.0.1:0"], tls });
  const port = portOf(server.urls[0] as string);
  const speak = (options: object): Promise<string> =>
    new Promise((resolve) => {
      const socket = tlsConnect({ port, servername: "localhost", ca: CA, ...options }, () => {
        resolve(`${socket.getProtocol()} ${socket.getCipher().name}`);
        socket.destroy();
      });
      socket.on("error", (error) => resolve(error.message));
    });
  assert.equal(await speak({ maxVersion: "TLSv1.2" }), "TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384");
  assert.match(await speak({}), /^TLSv1\.3 /, "the list is about TLS 1.2");
  assert.match(await speak({ maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" }), /handshake failure/);
  const newest = await start(t, {
    urls: ["https://127.0.0.1:0"],
    tls: { ...tls, ciphers: undefined, minVersion: "TLSv1.3" },
  });
  const [url] = newest.urls as [string];
  await assert.rejects(
    new Promise((_resolve, reject) =>
      tlsConnect({ port: portOf(url), ca: CA, servername: "localhost", maxVersion: "TLSv1.2" }).on("error", reject),
    ),
  );
});

test("http and https share a port", async (t) => {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  const urls = [`http://127.0.0.1:${port}`, `https://127.0.0.1:${port}`];
  const server = await start(t, { urls, tls: tlsFiles(t) });
  assert.equal(server.urls.length, 1);
  assert.equal(await range(t, urls[0] as string), "0 ");
  assert.equal(await range(t, urls[1] as string, { tls: { ca: CA, ...CLIENT } }), "0 ");
  assert.equal(await get(`${urls[0]}/x`), "HTTP/1.1 200 GET /x");
  assert.equal(await get(`${urls[1]}/x`, { ca: CA, pair: CLIENT }), "HTTP/1.1 200 GET /x");
  const serving = server.logger.lines.filter(({ message }) => message.startsWith("serving client traffic"));
  assert.deepEqual(
    serving.map(({ message, fields }) => [message, fields["traffic"], fields["address"]]),
    [
      ["serving client traffic insecurely; this is strongly discouraged!", "grpc+http", `127.0.0.1:${port}`],
      ["serving client traffic securely", "grpc+http", `127.0.0.1:${port}`],
    ],
  );
});

test("localhost is both loopback addresses, on one port, where the machine has both", async (t) => {
  const server = await start(t, { urls: ["http://localhost:0"] });
  const ports = server.listeners.addresses.map((address) => Number(address.slice(address.lastIndexOf(":") + 1)));
  assert.ok(server.listeners.addresses[0]?.startsWith("127.0.0.1:"));
  assert.equal(new Set(ports).size, 1);
  for (const address of server.listeners.addresses) assert.equal(await range(t, `http://${address}`), "0 ");
});

test("a socket file serves too; one left behind is cleared away, one in use is not", async (t) => {
  const path = join(temporaryFolder(t), "etcd.sock");
  const server = await start(t, { urls: [`unix://${path}`] });
  assert.equal(await range(t, `unix://${path}`), "0 ");
  assert.equal(await get("http://x/y", { socketPath: path }), "HTTP/1.1 200 GET /y");
  const options = {
    addresses: [parseAddress(`unix://${path}`)],
    flag: "--listen-client-urls",
    tls: NO_TLS,
    logger: recordingLogger(),
  };
  await assert.rejects(Listeners.bind(options), /another process listens there/);
  await server.stop(0);
  const left = createServer().listen(path);
  await new Promise((resolve) => left.once("listening", resolve));
  const copy = `${path}.dead`;
  // A file whose owner died: take its name away from a listener that then closes.
  const { renameSync } = await import("node:fs");
  renameSync(path, copy);
  await new Promise((resolve) => left.close(resolve));
  renameSync(copy, path);
  const again = await start(t, { urls: [`unix://${path}`] });
  assert.equal(await range(t, `unix://${path}`), "0 ");
  await again.stop(0);
});

test("an address that cannot be had is named, with what to do, and nothing stays open", async (t) => {
  const server = await start(t, {});
  const [url] = server.urls as [string];
  const bind = (...urls: string[]) =>
    Listeners.bind({
      addresses: urls.map(parseAddress),
      flag: "--listen-client-urls",
      tls: NO_TLS,
      logger: recordingLogger(),
    });
  await assert.rejects(bind("http://127.0.0.1:0", url), {
    name: "WorldError",
    message: `listen on ${url.slice("http://".length)} (--listen-client-urls=${url}): another process listens there; stop it, or choose another address`,
  });
  await assert.rejects(bind("http://192.0.2.1:0"), /this machine has no such address/);
  await assert.rejects(bind("https://127.0.0.1:0"), /read ""/);
});

test("connections that come early wait for the server to serve", async (t) => {
  const logger = recordingLogger();
  const listeners = await Listeners.bind({
    addresses: [parseAddress("http://127.0.0.1:0")],
    flag: "f",
    tls: NO_TLS,
    logger,
  });
  t.after(() => listeners.close(0));
  const early = get(`http://${listeners.addresses[0]}/early`);
  await sleep(30);
  assert.equal(logger.lines.length, 0);
  listeners.serve({ http: (request, response) => response.end(request.url) });
  assert.equal(await early, "HTTP/1.1 200 /early");
  assert.equal(logger.lines[0]?.fields["traffic"], "http");
});

test("calls end when their connection does, however it ends", async (t) => {
  const server = await start(t, { urls: ["http://127.0.0.1:0", "https://127.0.0.1:0"], tls: tlsFiles(t) });
  for (const url of server.urls) {
    for (const end of ["end", "destroy"] as const) {
      const socket = url.startsWith("https")
        ? tlsConnect({ port: portOf(url), servername: "localhost", ca: CA, ALPNProtocols: ["h2"], ...CLIENT })
        : netConnect(portOf(url), "127.0.0.1");
      const session = connectHttp2(url, { createConnection: () => socket });
      session.on("error", () => undefined);
      const stream = session.request({
        ":method": "POST",
        ":path": watch.methods.watch.path,
        "content-type": "application/grpc",
      });
      stream.on("error", () => undefined);
      while (server.dispatcher.size < 1) await sleep(5);
      if (end === "end") socket.end();
      else session.destroy();
      for (let waited = 0; server.dispatcher.size > 0 && waited < 2000; waited += 5) await sleep(5);
      assert.equal(server.dispatcher.size, 0, `${end} on ${url}`);
      session.destroy();
    }
  }
});

test("a port without an engine speaks no gRPC, one without paths nothing else", async (t) => {
  const listeners = await Listeners.bind({
    addresses: [parseAddress("http://127.0.0.1:0")],
    flag: "f",
    tls: NO_TLS,
    logger: recordingLogger(),
  });
  t.after(() => listeners.close(0));
  listeners.serve({ http: (_request, response) => response.end() });
  assert.match(await range(t, `http://${listeners.addresses[0]}`), /^14 /);
  const grpc = await startRpcServer(new FakeMember());
  t.after(() => grpc.stop(0));
  assert.equal(await range(t, grpc.urls[0] as string), "0 ");
  await assert.rejects(get(`${grpc.urls[0]}/x`));
});

/** Listeners with few connections, and a way to open one; `said` is what it says at once. */
async function crowded(t: TestContext, maxConnections: number) {
  const logger = recordingLogger();
  const addresses = [parseAddress("http://127.0.0.1:0")];
  const listeners = await Listeners.bind({ addresses, flag: "--f", tls: NO_TLS, logger, maxConnections });
  t.after(() => listeners.close(0));
  listeners.serve({ http: (_request, response) => response.end() });
  const [host, port] = (listeners.addresses[0] as string).split(":") as [string, string];
  const open = async (said: string) => {
    const socket = netConnect(Number(port), host);
    t.after(() => socket.destroy());
    socket.on("error", () => undefined);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    await new Promise((resolve) => socket.once("connect", resolve));
    socket.write(said);
    await sleep(30);
    return { socket, closed };
  };
  return { logger, open };
}

test("more connections than allowed are closed as they come, and the log tells of it once", async (t) => {
  const { logger, open } = await crowded(t, 2);
  const [first, second] = [await open("GET / HTTP/1.1\r\n"), await open("GET / HTTP/1.1\r\n")];
  for (let at = 0; at < 3; at++) await (await open("GET / HTTP/1.1\r\n")).closed;
  assert.deepEqual([first.socket.destroyed, second.socket.destroyed], [false, false]);
  const told = logger.lines.filter(({ message }) => message === "too many connections: closed as they come");
  assert.deepEqual(
    told.map(({ fields }) => fields),
    [{ flag: "--f", max: 2, closed: 1 }],
  );
});

test("a connection that has said nothing yet makes room for a new one", async (t) => {
  const { open } = await crowded(t, 2);
  const [silent, speaking] = [await open(""), await open("GET / HTTP/1.1\r\n")];
  const third = await open("GET / HTTP/1.1\r\n");
  await silent.closed;
  assert.deepEqual([speaking.socket.destroyed, third.socket.destroyed], [false, false]);
});

test("closing ends streams and idle connections at once, and a silent connection does not hold it", async (t) => {
  const tls = tlsFiles(t);
  const server = await start(t, { urls: ["http://127.0.0.1:0", "https://127.0.0.1:0"], tls });
  const [plain, secure] = server.urls as [string, string];
  const silent = netConnect(portOf(plain), "127.0.0.1");
  const silentTls = netConnect(portOf(secure), "127.0.0.1");
  for (const socket of [silent, silentTls]) socket.on("error", () => undefined);
  const closed = Promise.all(
    [silent, silentTls].map((socket) => new Promise((resolve) => socket.once("close", resolve))),
  );
  const client = connect(secure, { tls: { ca: CA, ...CLIENT } });
  t.after(() => client.close());
  const stream = client.bidi(watch.methods.watch);
  while (server.dispatcher.size < 1) await sleep(5);
  const started = performance.now();
  await server.stop(5000);
  assert.ok(performance.now() - started < 2000);
  assert.equal((await stream.status).text, "etcdserver: server stopped");
  await closed;
  await assert.rejects(get(`${plain}/x`), { code: "ECONNREFUSED" });
});
