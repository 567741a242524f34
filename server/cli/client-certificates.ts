/**
 * TLS towards clients: which certificate we show, whose we ask for, and what the log says of those turned away. The
 * files are looked at for each new connection.
 */
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from "node:tls";
import type { ClientTls } from "../config/config.ts";
import type { Logger } from "../ports/logger.ts";
import { remoteAddressText } from "../rpc/peer-address.ts";
import { TlsFiles } from "../system/tls-files.ts";
import type { LoadedFiles } from "./certificate-series.ts";

/** What of the configuration a TLS address needs. */
export type ClientTlsFiles = Pick<
  ClientTls,
  "certFile" | "keyFile" | "trustedCaFile" | "crlFile" | "clientCertAuth" | "minVersion" | "maxVersion" | "ciphers"
>;

/** As etcd's. */
const HANDSHAKE_MS = 10_000;

export class ClientCertificates {
  readonly #files: TlsFiles;
  readonly #logger: Logger;
  readonly #required: boolean;
  readonly #servers: TlsServer[] = [];

  /** Reads the files. Throws `WorldError`, which names the one that cannot be used. */
  constructor(tls: ClientTlsFiles, logger: Logger) {
    this.#files = new TlsFiles(tls, logger);
    this.#logger = logger;
    this.#required = tls.clientCertAuth || tls.trustedCaFile !== "";
  }

  /** A server that is handed connections and hands on those that have passed. */
  createServer(passed: (socket: TLSSocket) => void): TlsServer {
    const server = createTlsServer({
      ...this.#files.options,
      ALPNProtocols: ["h2", "http/1.1"],
      requestCert: this.#required,
      rejectUnauthorized: false, // judged below, where the reason is known
      handshakeTimeout: HANDSHAKE_MS,
    });
    server.prependListener("connection", () => this.refresh());
    server.on("tlsClientError", (error, socket) => this.#reject(socket, failureText(error)));
    server.on("secureConnection", (socket) => {
      socket.on("error", () => undefined);
      if (this.#required && !socket.authorized) this.#reject(socket, distrustText(socket));
      else passed(socket);
    });
    this.#servers.push(server);
    return server;
  }

  /** What the files hold that are in use. */
  get files(): LoadedFiles {
    return this.#files;
  }

  /** Looks at the files now, as each connection does. */
  refresh(): void {
    if (!this.#files.refresh()) return;
    for (const server of this.#servers) server.setSecureContext(this.#files.options);
  }

  #reject(socket: TLSSocket, error: string): void {
    this.#logger.warn("rejected connection on client endpoint", {
      "remote-addr": remoteAddressText(socket),
      "server-name": socket.servername || "",
      error,
    });
    socket.destroy();
  }
}

/** Why a handshake failed, in Go's words where there are some. */
function failureText(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "ERR_SSL_HTTP_REQUEST":
    case "ERR_SSL_WRONG_VERSION_NUMBER":
      return "tls: first record does not look like a TLS handshake";
    case "ERR_SSL_UNSUPPORTED_PROTOCOL":
      return "tls: client offered only unsupported versions";
    case "ERR_SSL_NO_SHARED_CIPHER":
      return "tls: no cipher suite supported by both client and server";
    case "ERR_TLS_HANDSHAKE_TIMEOUT":
      return "tls: handshake timed out";
    case "ECONNRESET":
      return "EOF";
    default:
      return error.message;
  }
}

/** Why a client's certificate does not count. */
function distrustText(socket: TLSSocket): string {
  if (socket.getPeerCertificate().raw === undefined) return "tls: client didn't provide a certificate";
  return `tls: failed to verify certificate: x509: ${distrustReason(String(socket.authorizationError))}`;
}

function distrustReason(code: string): string {
  switch (code) {
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID":
      return "certificate has expired or is not yet valid";
    case "INVALID_PURPOSE":
      return "certificate specifies an incompatible key usage";
    case "CERT_REVOKED":
      return "certificate serial number is revoked";
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
      return "certificate signed by unknown authority";
    default:
      return code;
  }
}
