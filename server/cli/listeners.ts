/**
 * The sockets that clients connect to, all of one flag. Ports are taken early, so that one in use is found before
 * anything is opened; connections are let in by `serve`.
 */
import { WorldError } from "../base/error.ts";
import { type Address, isSecure } from "../config/urls.ts";
import type { Logger } from "../ports/logger.ts";
import { ClientCertificates, type ClientTlsFiles } from "./client-certificates.ts";
import { ClientPort, type ConnectionCount, type Place, placeText, type Traffic } from "./client-port.ts";

export type { Traffic } from "./client-port.ts";

export interface ListenerOptions {
  /** http and https may share a port. */
  readonly addresses: readonly Address[];
  /** For the message when one cannot be taken: "--listen-client-urls". */
  readonly flag: string;
  /** Needed when an address is https or unixs. */
  readonly tls: ClientTlsFiles;
  readonly logger: Logger;
  /** What the log line says that is served there; "client" when not given. */
  readonly purpose?: "client" | "metrics";
  /** Connections on all of them at most; more are closed as they come. Undefined: what the system allows. */
  readonly maxConnections?: number | undefined;
}

/** How often the log says that connections are closed as they come. */
const REFUSALS_LOGGED_MS = 10_000;

export class Listeners {
  readonly #options: ListenerOptions;
  readonly #ports: ClientPort[];
  /** Undefined when all addresses are plain. */
  readonly certificates: ClientCertificates | undefined;

  private constructor(options: ListenerOptions, ports: ClientPort[], certificates: ClientCertificates | undefined) {
    this.#options = options;
    this.#ports = ports;
    this.certificates = certificates;
  }

  /** Takes all ports, or none. Rejects with `WorldError`, which names the address and what to do. */
  static async bind(options: ListenerOptions): Promise<Listeners> {
    const tls = options.addresses.some(isSecure) ? new ClientCertificates(options.tls, options.logger) : undefined;
    const ports: ClientPort[] = [];
    const count = countOf(options);
    try {
      for (const places of placesOf(options.addresses)) ports.push(...(await bindPlaces(places, options, count, tls)));
    } catch (error) {
      await closeAll(ports);
      throw error;
    }
    return new Listeners(options, ports, tls);
  }

  /** Where clients can connect: "127.0.0.1:2379", "[::1]:2379" or the path of a socket file. */
  get addresses(): string[] {
    return this.#ports.map((port) => port.text);
  }

  /** Lets connections in, those first that have waited. */
  serve(traffic: Traffic): void {
    const name = [...(traffic.engine ? ["grpc"] : []), ...(traffic.http ? ["http"] : [])].join("+");
    for (const port of this.#ports) {
      port.serve(traffic);
      if (this.#options.purpose === "metrics") this.#options.logger.info("serving metrics", { address: port.text });
      else this.#announce(port, name);
    }
  }

  #announce(port: ClientPort, traffic: string): void {
    const fields = { traffic, address: port.text };
    const { logger } = this.#options;
    if (port.plain) logger.info("serving client traffic insecurely; this is strongly discouraged!", fields);
    if (port.secure) logger.info("serving client traffic securely", fields);
  }

  /**
   * Accepts nothing more, lets calls under way finish for at most `graceMs`, and closes every connection. May be
   * called before `serve`, and twice.
   */
  async close(graceMs: number): Promise<void> {
    const closed = this.#ports.map((port) => port.stopAccepting());
    const engines = new Set(this.#ports.flatMap(({ engine }) => (engine === undefined ? [] : [engine])));
    await Promise.all([
      ...[...engines].map((engine) => engine.stop(graceMs)),
      ...this.#ports.map((port) => port.finishRequests(graceMs)),
    ]);
    for (const port of this.#ports) port.destroyConnections();
    await Promise.all(closed);
  }
}

/** Connections closed as they come are told of now and then, with their number: whoever floods us should not fill a disk. */
function countOf({ maxConnections = Number.POSITIVE_INFINITY, flag, logger }: ListenerOptions): ConnectionCount {
  let refused = 0;
  let toldMs = Number.NEGATIVE_INFINITY;
  return {
    open: 0,
    max: maxConnections,
    refused: () => {
      refused++;
      const nowMs = performance.now();
      if (nowMs - toldMs < REFUSALS_LOGGED_MS) return;
      logger.warn("too many connections: closed as they come", { flag, max: maxConnections, closed: refused });
      refused = 0;
      toldMs = nowMs;
    },
  };
}

/** One group for each address; localhost is two places that share a port. */
function placesOf(addresses: readonly Address[]): Place[][] {
  const groups = new Map<string, Place[]>();
  for (const address of addresses) {
    const { host, port, path, url } = address;
    const key = path === "" ? `${host}:${port === 0 ? url : port}` : path;
    const plain = !isSecure(address);
    const place = { host, port, path, url, plain, secure: !plain, optional: false };
    const before = groups.get(key);
    if (before !== undefined) {
      groups.set(
        key,
        before.map((one) => ({ ...one, plain: one.plain || plain, secure: one.secure || !plain })),
      );
    } else if (host === "localhost" && path === "") {
      groups.set(key, [
        { ...place, host: "127.0.0.1" },
        { ...place, host: "::1", optional: true },
      ]);
    } else groups.set(key, [place]);
  }
  return [...groups.values()];
}

async function bindPlaces(
  places: readonly Place[],
  options: ListenerOptions,
  count: ConnectionCount,
  tls: ClientCertificates | undefined,
): Promise<ClientPort[]> {
  const ports: ClientPort[] = [];
  for (const place of places) {
    const taken = ports[0]?.boundPort ?? place.port; // "any port" is the same one for all places of an address
    const port = new ClientPort({ ...place, port: taken }, count, tls);
    try {
      await port.bind();
      ports.push(port);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (place.optional && (code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT")) continue;
      await closeAll(ports);
      throw new WorldError(
        `listen on ${placeText(place)} (${options.flag}=${place.url})`,
        new Error(hint(code, error)),
      );
    }
  }
  return ports;
}

async function closeAll(ports: readonly ClientPort[]): Promise<void> {
  const closed = ports.map((port) => port.stopAccepting());
  for (const port of ports) port.destroyConnections();
  await Promise.all(closed);
}

function hint(code: string | undefined, error: unknown): string {
  switch (code) {
    case "EADDRINUSE":
      return "another process listens there; stop it, or choose another address";
    case "EACCES":
      return "this user may not; choose a port above 1023, or a folder that may be written to";
    case "EADDRNOTAVAIL":
      return "this machine has no such address; choose one that it has, or 0.0.0.0 for all";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
