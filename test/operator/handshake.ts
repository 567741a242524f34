/** Two ends of TLS on the loopback: whether they take each other's certificates, with the runtime's own checks. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";

export interface TlsEnd {
  /** PEM. */
  readonly cert?: string;
  readonly key?: string;
  /** Whom it trusts, PEM; absent for a server: clients are not asked for a certificate. */
  readonly ca?: string;
}

/** "ok", or why one of the two refused. `host`: the name under which the client calls. */
export async function handshake(serverEnd: TlsEnd, clientEnd: TlsEnd, host: string): Promise<string> {
  const isMutual = serverEnd.ca !== undefined;
  const server = createServer({ ...serverEnd, requestCert: isMutual, rejectUnauthorized: isMutual });
  const sockets: TLSSocket[] = [];
  try {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    return await new Promise<string>((resolve) => {
      server.on("tlsClientError", (error) => resolve(`server: ${error.message}`));
      server.on("secureConnection", (socket) => {
        sockets.push(socket);
        socket.on("error", () => undefined);
        socket.end("hello");
      });
      const client = connect({ ...clientEnd, host: "127.0.0.1", port, servername: host });
      sockets.push(client);
      client.on("error", (error) => resolve(`client: ${error.message}`));
      client.on("close", () => resolve("client: closed without a word"));
      // Only the server's word says that the client's certificate was taken, too.
      client.on("data", () => resolve("ok"));
    });
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}
