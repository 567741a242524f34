import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { createServer } from "node:tls";
import { CA, SERVER, STRANGE_CA } from "../../test/support/certificates.ts";
import { SERVICES } from "../proto/services.ts";
import { connect } from "./client.ts";

/** What a server hears of the name that is asked for; it answers nothing. `false`: none was. */
async function nameAsked(t: TestContext, host: string, tls: { ca?: string; serverName?: string }) {
  const names: (string | false)[] = [];
  const server = createServer({ cert: SERVER.cert, key: SERVER.key, ALPNProtocols: ["h2"] }, (socket) => {
    names.push((socket as unknown as { servername: string | false }).servername);
    socket.destroy();
  });
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = connect(`https://${host}:${(server.address() as AddressInfo).port}`, { tls });
  t.after(() => {
    client.close();
    server.close();
  });
  const { status } = await client.call(SERVICES.kv.methods.range, {}, { timeoutMs: 2000 });
  return { names, text: status.text };
}

test("an address is not sent as a server's name, and is what the certificate must have", async (t) => {
  assert.equal((await nameAsked(t, "127.0.0.1", { ca: CA })).names[0], false);
  assert.equal((await nameAsked(t, "127.0.0.1", { ca: CA, serverName: "127.0.0.1" })).names[0], false);
  assert.match((await nameAsked(t, "127.0.0.1", { ca: CA, serverName: "127.0.0.9" })).text, /altnames|not in the cert/);
});

test("a name is sent, and checked", async (t) => {
  assert.equal((await nameAsked(t, "localhost", { ca: CA })).names[0], "localhost");
  assert.equal((await nameAsked(t, "127.0.0.1", { ca: CA, serverName: "localhost" })).names[0], "localhost");
  assert.match((await nameAsked(t, "127.0.0.1", { ca: CA, serverName: "elsewhere" })).text, /altnames|not in the cert/);
  assert.match((await nameAsked(t, "localhost", { ca: STRANGE_CA })).text, /self-signed|unable to|certificate/);
});
