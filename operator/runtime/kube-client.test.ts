import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type RequestListener, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { TLSSocket } from "node:tls";
import { VirtualTime } from "../../test/operator/virtual-time.ts";
import { CA, CLIENT, SERVER } from "../../test/support/certificates.ts";
import type { KubeError, Resource } from "./kube.ts";
import { openKubeClient } from "./kube-client.ts";

const PODS: Resource = { group: "", version: "v1", plural: "pods", kind: "Pod", isNamespaced: true };
const KEY = { namespace: "n", name: "a" };

async function listening(context: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  const remember = (socket: Socket) => void sockets.add(socket);
  server.on("connection", remember).on("secureConnection", remember);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "kvorum-kubeconfig-"));
  context.after(() => rmSync(path, { recursive: true }));
  return path;
}

function kubeconfig(cluster: object, user: object): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "main",
    contexts: [
      { name: "main", context: { cluster: "here", user: "me", namespace: "mine" } },
      { name: "lost", context: { cluster: "nowhere", user: "me" } },
    ],
    clusters: [{ name: "here", cluster }],
    users: [{ name: "me", user }],
  });
}

const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("openKubeClient", () => {
  it("comes with the token of a file, and with the new one when the old is refused", async (context) => {
    const seen: (string | undefined)[] = [];
    let valid = "Bearer one";
    const answer: RequestListener = ({ headers }, response) => {
      seen.push(headers.authorization);
      response.writeHead(headers.authorization === valid ? 200 : 401).end("{}");
    };
    const port = await listening(context, createHttpServer(answer));
    const path = folder(context);
    writeFileSync(join(path, "token"), "one\n");
    const user = { "auth-provider": { name: "tokenFile", config: { tokenFile: join(path, "token") } } };
    writeFileSync(join(path, "config"), kubeconfig({ server: `http://127.0.0.1:${port}` }, user));
    const time = new VirtualTime();
    const { kube, namespace, server } = openKubeClient({ kubeconfig: join(path, "config"), time, userAgent: "t/1" });
    assert.deepEqual([namespace, server], ["mine", `http://127.0.0.1:${port}`]);
    await kube.get(PODS, KEY);
    writeFileSync(join(path, "token"), "two\n");
    valid = "Bearer two";
    await kube.get(PODS, KEY);
    assert.deepEqual(seen, ["Bearer one", "Bearer one", "Bearer two"]);
  });

  it("comes with its certificate over TLS that it has verified, over one connection, and a new one for a new certificate", async (context) => {
    const names: unknown[] = [];
    let connections = 0;
    const server = createHttpsServer({ ...SERVER, ca: CA, requestCert: true }, ({ socket }, response) => {
      names.push((socket as TLSSocket).getPeerCertificate().subject?.CN);
      response.end("{}");
    });
    server.on("secureConnection", () => connections++);
    const port = await listening(context, server);
    const path = folder(context);
    const file = join(path, "config");
    const cluster = { server: `https://127.0.0.1:${port}`, "certificate-authority-data": base64(CA) };
    const write = (cert: string, key: string) => {
      writeFileSync(join(path, "cert.pem"), cert);
      writeFileSync(join(path, "key.pem"), key);
    };
    write(CLIENT.cert, CLIENT.key);
    writeFileSync(file, kubeconfig(cluster, { "client-certificate": "cert.pem", "client-key": "key.pem" }));
    const time = new VirtualTime();
    const { kube } = openKubeClient({ kubeconfig: file, time, userAgent: "t/1" });
    for (let call = 0; call < 3; call++) await kube.get(PODS, KEY);
    await time.advance(60_000);
    await kube.get(PODS, KEY);
    assert.equal(connections, 1);
    write(SERVER.cert, SERVER.key);
    await time.advance(60_000);
    await kube.get(PODS, KEY);
    assert.equal(connections, 2);
    assert.notEqual(names[4], names[0]);
    assert.equal(new Set(names.slice(0, 4)).size, 1);
  });

  it("does not speak to a server that it cannot verify", async (context) => {
    const port = await listening(
      context,
      createHttpsServer(SERVER, (_, response) => response.end("{}")),
    );
    const file = join(folder(context), "config");
    writeFileSync(file, kubeconfig({ server: `https://127.0.0.1:${port}` }, { token: "secret" }));
    const { kube } = openKubeClient({ kubeconfig: file, time: new VirtualTime(), userAgent: "t/1" });
    await assert.rejects(
      kube.get(PODS, KEY),
      (error: KubeError) => error.status === undefined && /certificate/.test(error.message),
    );
  });

  it("says what is wrong with a configuration that leads nowhere", (context) => {
    const file = join(folder(context), "config");
    writeFileSync(file, kubeconfig({ server: "https://127.0.0.1:1" }, {}));
    const options = { kubeconfig: file, time: new VirtualTime(), userAgent: "t/1" };
    for (const wrong of ["lost", "absent"])
      assert.throws(
        () => openKubeClient({ ...options, context: wrong }),
        new RegExp(`no cluster for its context "${wrong}"`),
      );
    assert.throws(() => openKubeClient({ ...options, kubeconfig: `${file}.absent` }), /ENOENT/);
  });
});
