/**
 * TLS between members, both ways: which certificate we show, and whose we take. Files are looked at for each new
 * connection. What etcd checks is checked: the authority, allowed common names or host names (of those who dial us and
 * of those we dial), and that whoever dials calls from an address that its certificate is for.
 */
import { lookup, reverse } from "node:dns/promises";
import {
  type ConnectionOptions,
  checkServerIdentity,
  createServer as createTlsServer,
  type PeerCertificate,
  type SecureContextOptions,
  type TLSSocket,
  type Server as TlsServer,
} from "node:tls";
import type { Logger } from "../ports/logger.ts";
import { textOf } from "./message-codec.ts";

/** Certificate, key and authority as they lie on disk: `system/tls-files.ts`. */
export interface CertificateFiles {
  readonly options: SecureContextOptions;
  /** Reads changed files again; whether `options` are new. */
  refresh(): boolean;
}

export interface PeerTlsOptions {
  /** Shown to those who dial; its authority is the one that all must be signed by. */
  readonly server: CertificateFiles;
  /** Shown to those we dial: `--peer-client-cert-file`. The same when not given. */
  readonly client?: CertificateFiles | undefined;
  /** Whether those who dial must show one: `--peer-client-cert-auth`, or an authority is given. */
  readonly isClientRequired: boolean;
  /** `--peer-cert-allowed-cn`; none: any. Not together with host names. */
  readonly allowedCommonNames?: readonly string[] | undefined;
  /** `--peer-cert-allowed-hostname`; none: any. */
  readonly allowedHostnames?: readonly string[] | undefined;
  /** `--peer-skip-client-san-verification` */
  readonly skipsAddressCheck?: boolean | undefined;
  /** `--peer-auto-tls`: certificates are made here, and nobody can check those of others. */
  readonly trustsAnybody?: boolean | undefined;
  readonly logger: Logger;
}

/** As etcd's. */
const HANDSHAKE_MS = 10_000;

export class PeerCertificates {
  readonly #options: PeerTlsOptions;
  readonly #servers: TlsServer[] = [];

  constructor(options: PeerTlsOptions) {
    this.#options = options;
  }

  /** A server that is handed connections and hands on those that have passed. */
  createServer(passed: (socket: TLSSocket) => void): TlsServer {
    const { server: files, isClientRequired } = this.#options;
    const server = createTlsServer({
      ...files.options,
      ALPNProtocols: ["http/1.1"],
      requestCert: isClientRequired,
      rejectUnauthorized: false, // judged below, where the reason is known
      handshakeTimeout: HANDSHAKE_MS,
    });
    server.prependListener("connection", () => this.#refreshServers());
    server.on("tlsClientError", (error, socket) => this.#reject(socket, error.message));
    server.on("secureConnection", (socket) => {
      socket.on("error", () => undefined);
      void this.#problemOf(socket).then((problem) => {
        if (problem !== undefined) this.#reject(socket, problem);
        else if (!socket.destroyed) passed(socket);
      });
    });
    this.#servers.push(server);
    return server;
  }

  /** Looks at the files now, as each connection does. */
  refresh(): void {
    this.#refreshServers();
    const { server, client = server } = this.#options;
    if (client !== server) client.refresh();
  }

  /** What a connection to another member is opened with; the files are looked at. */
  clientOptions(): ConnectionOptions {
    const { server, client = server, trustsAnybody = false } = this.#options;
    this.refresh();
    const { ca } = server.options;
    return {
      ...client.options,
      ...(ca === undefined ? {} : { ca }),
      rejectUnauthorized: !trustsAnybody,
      checkServerIdentity: (host: string, certificate: PeerCertificate) =>
        checkServerIdentity(host, certificate) ?? this.#nameError(certificate),
    };
  }

  #refreshServers(): void {
    if (!this.#options.server.refresh()) return;
    for (const server of this.#servers) server.setSecureContext(this.#options.server.options);
  }

  /** Why one who dialled is turned away. Never rejects. */
  async #problemOf(socket: TLSSocket): Promise<string | undefined> {
    if (!this.#options.isClientRequired) return undefined;
    const certificate = socket.getPeerCertificate();
    if (certificate.raw === undefined) return "tls: client didn't provide a certificate";
    if (!socket.authorized) return `tls: failed to verify certificate: ${socket.authorizationError}`;
    const nameError = this.#nameError(certificate);
    if (nameError !== undefined) return nameError.message;
    if (this.#options.skipsAddressCheck === true) return undefined;
    return addressProblem(certificate, socket.remoteAddress ?? "");
  }

  #nameError(certificate: PeerCertificate): Error | undefined {
    const { allowedCommonNames = [], allowedHostnames = [] } = this.#options;
    if (allowedCommonNames.length > 0) {
      const names = [certificate.subject?.CN ?? []].flat();
      if (names.some((name) => allowedCommonNames.includes(name))) return undefined;
      return new Error(
        `client certificate authentication failed: common name "${names.join()}" is none of those allowed`,
      );
    }
    if (allowedHostnames.length === 0) return undefined;
    if (allowedHostnames.some((name) => checkServerIdentity(name, certificate) === undefined)) return undefined;
    return new Error(
      `client certificate authentication failed: it is for "${certificate.subjectaltname ?? ""}", none of those allowed`,
    );
  }

  #reject(socket: { readonly remoteAddress?: string | undefined; destroy(): unknown }, error: string): void {
    this.#options.logger.warn("rejected connection on peer endpoint", {
      "remote-addr": socket.remoteAddress ?? "",
      error,
    });
    socket.destroy();
  }
}

/**
 * Why a certificate is not for somebody at `address`: it names addresses or hosts, and neither is it one of these nor
 * does the name service know it under one. A certificate that names nothing is for everybody.
 */
export async function addressProblem(certificate: PeerCertificate, address: string): Promise<string | undefined> {
  const names = (certificate.subjectaltname ?? "").split(", ");
  const addresses = names.flatMap((name) => (name.startsWith("IP Address:") ? [name.slice(11)] : []));
  const hosts = names.flatMap((name) => (name.startsWith("DNS:") ? [name.slice(4)] : []));
  if (addresses.length === 0 && hosts.length === 0) return undefined;
  const plain = address.replace(/^::ffff:/, "");
  if (addresses.length > 0 && checkServerIdentity(plain, certificate) === undefined) return undefined;
  if (hosts.length === 0) return `tls: the certificate is for ${addresses.join(", ")}, not for "${plain}"`;
  try {
    if (await isKnownAs(plain, hosts)) return undefined;
  } catch (error) {
    return `tls: "${plain}" does not match any of DNSNames ${JSON.stringify(hosts)} (${textOf(error)})`;
  }
  return `tls: "${plain}" does not match any of DNSNames ${JSON.stringify(hosts)}`;
}

async function isKnownAs(address: string, hosts: readonly string[]): Promise<boolean> {
  const known = await reverse(address).catch(() => []);
  const isNamed = known.some((name) => hosts.some((host) => nameMatches(name.replace(/\.$/, ""), host)));
  if (isNamed) return true;
  let failure: unknown;
  for (const host of hosts) {
    if (host.startsWith("*.")) continue;
    try {
      const found = await lookup(host, { all: true });
      if (found.some((one) => one.address === address)) return true;
    } catch (error) {
      failure = error;
    }
  }
  if (failure !== undefined) throw failure;
  return false;
}

function nameMatches(name: string, host: string): boolean {
  return host.startsWith("*.") ? name.endsWith(host.slice(1)) : name === host;
}
