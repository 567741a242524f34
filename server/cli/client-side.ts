/**
 * Everything that clients reach: gRPC and the paths for operators, on the addresses of the configuration. Ports are taken
 * before anything is opened, so that one in use is found first; the metrics are served from then on, clients once the
 * member serves.
 */
import type { RequestListener } from "node:http";
import { EtcdError } from "../base/error.ts";
import type { Config } from "../config/config.ts";
import { KVORUM_VERSION } from "../config/version.ts";
import { type Http1Options, opsListener } from "../gateway/http1.ts";
import { http2Ops } from "../gateway/http2-ops.ts";
import type { OpsFacts } from "../gateway/ops.ts";
import { DEFAULT_STREAMS, MAX_CONNECTIONS, MAX_METRICS_CONNECTIONS, RESERVED_FILES } from "../http2/limits.ts";
import { STREAMS_UNBOUNDED } from "../http2/settings.ts";
import type { Member } from "../member/member.ts";
import { createGrpcSeries } from "../metrics/grpc-series.ts";
import type { Registry } from "../metrics/registry.ts";
import type { Series } from "../metrics/series.ts";
import type { Clock } from "../ports/clock.ts";
import { AlarmType, RangeRequest } from "../proto/etcdserverpb.ts";
import { type AnyMethod, SERVICES } from "../proto/services.ts";
import { OwnEngine } from "../rpc/bind.ts";
import { Dispatcher } from "../rpc/dispatch.ts";
import { Health } from "../rpc/health.ts";
import type { RpcMetrics } from "../rpc/interceptors.ts";
import { RequestStats } from "../rpc/request-stats.ts";
import { statusOf } from "../rpc/status.ts";
import { createServices } from "../services/services.ts";
import type { SystemLogger } from "../system/logger.ts";
import { readProcessFacts } from "../system/process-facts.ts";
import type { CertificateUse } from "./certificate-series.ts";
import { Listeners } from "./listeners.ts";
import { ownCertificate } from "./own-certificate.ts";

/** What etcd adds to `--max-request-bytes` for the rest of a message. */
const GRPC_OVERHEAD_BYTES = 512 * 1024;
/** How long calls under way may take when the server stops. */
const STOP_GRACE_MS = 3000;
/** The key that /health reads; nobody needs to have written it. */
const HEALTH_KEY = new TextEncoder().encode("health");

export interface ClientSideParts {
  readonly config: Config;
  readonly logger: SystemLogger;
  readonly registry: Registry;
  readonly series: Series;
  readonly clock: Clock;
  /** A handler broke a promise of ours. */
  readonly broken: (error: unknown) => void;
}

export class ClientSide {
  readonly #parts: ClientSideParts;
  readonly #clients: Listeners;
  readonly #http: Listeners | undefined;
  readonly #metrics: Listeners | undefined;
  #member: Member | undefined;

  private constructor(
    parts: ClientSideParts,
    clients: Listeners,
    http: Listeners | undefined,
    metrics: Listeners | undefined,
  ) {
    this.#parts = parts;
    this.#clients = clients;
    this.#http = http;
    this.#metrics = metrics;
  }

  /** Takes all ports or none; rejects with `WorldError`, which names the address and what to do. */
  static async bind(parts: ClientSideParts): Promise<ClientSide> {
    const { config } = parts;
    const logger = parts.logger.child("cli/listeners.ts");
    const tls = { ...config.tls, ...clientCertificate(parts) };
    const bound: Listeners[] = [];
    const bind = async (addresses: Config["clientUrls"]["listen"], flag: string) => {
      if (addresses.length === 0) return undefined;
      const purpose = flag === "--listen-metrics-urls" ? "metrics" : "client";
      const maxConnections = purpose === "metrics" ? MAX_METRICS_CONNECTIONS : clientConnectionsMax();
      const listeners = await Listeners.bind({ addresses, flag, tls, logger, purpose, maxConnections });
      bound.push(listeners);
      return listeners;
    };
    try {
      const clients = (await bind(config.clientUrls.listen, "--listen-client-urls")) as Listeners;
      const http = await bind(config.listenClientHttpUrls, "--listen-client-http-urls");
      const metrics = await bind(config.listenMetricsUrls, "--listen-metrics-urls");
      const side = new ClientSide(parts, clients, http, metrics);
      metrics?.serve({ http: opsListener({ facts: side.#facts(), place: "metrics" }) });
      return side;
    } catch (error) {
      await Promise.all(bound.map((listeners) => listeners.close(0)));
      throw error;
    }
  }

  /** Where clients can connect: "127.0.0.1:2379". */
  get addresses(): string[] {
    return this.#clients.addresses;
  }

  /** The TLS files of each kind of listener that has any, for the metrics. */
  get certificates(): CertificateUse[] {
    const all = { client: this.#clients, "client-http": this.#http, metrics: this.#metrics };
    return Object.entries(all).flatMap(([listener, listeners]) => {
      const certificates = listeners?.certificates;
      if (certificates === undefined) return [];
      return [{ listener, files: certificates.files, refresh: () => certificates.refresh() }];
    });
  }

  /** Lets clients in. */
  async serve(member: Member): Promise<void> {
    this.#member = member;
    const { config, clock } = this.#parts;
    const access = { hosts: config.hostWhitelist, origins: config.cors };
    const options: Http1Options = { facts: this.#facts(), place: "client", access };
    const http: RequestListener = opsListener(options);
    const engineOptions = {
      dispatcher: this.#dispatcher(member),
      maxReceiveBytes: config.maxRequestBytes + GRPC_OVERHEAD_BYTES,
      maxConcurrentStreams: streamsMax(config),
      keepalive: config.grpcKeepalive,
      monotonicMs: () => clock.monotonicMs(),
    };
    const shared = this.#http === undefined; // gRPC and the paths on the same ports
    const engine =
      config.grpcEngine === "own"
        ? new OwnEngine({ ...engineOptions, ...(shared ? { http: http2Ops(options) } : {}) })
        : new (await import("../rpc/bind-grpc-js.ts")).GrpcJsEngine({ ...engineOptions, ...(shared ? { http } : {}) });
    this.#http?.serve({ http });
    this.#clients.serve(this.#http === undefined ? { engine, http } : { engine });
  }

  /** Takes nothing more, lets calls under way finish, closes all. */
  async close(): Promise<void> {
    await Promise.all([this.#clients.close(STOP_GRACE_MS), this.#http?.close(STOP_GRACE_MS), this.#metrics?.close(0)]);
  }

  #dispatcher(member: Member): Dispatcher {
    const { config, clock, logger } = this.#parts;
    const limits = { maxTxnOperations: config.maxTxnOps, maxRequestBytes: config.maxRequestBytes };
    const services = createServices(member, limits, clock);
    return new Dispatcher({
      services: { ...services, health: new Health() },
      facts: member,
      metrics: rpcMetrics(this.#parts),
      observer: new RequestStats({
        log: logger.child("rpc/request-stats.ts"),
        warnAfterMs: config.warningUnaryMs,
        all: config.logLevel === "debug",
        wallMs: () => clock.wallMs(),
      }),
      electionMs: config.electionMs,
      monotonicMs: () => clock.monotonicMs(),
      broken: this.#parts.broken,
    });
  }

  #facts(): OpsFacts {
    const { registry, series, logger } = this.#parts;
    const member = () => {
      if (this.#member === undefined) throw new EtcdError("NoLeader");
      return this.#member;
    };
    const read = async (serializable: boolean) => {
      await member().range(RangeRequest.create({ key: HEALTH_KEY, limit: 1, keysOnly: true, serializable }));
    };
    return {
      alarms: () =>
        (this.#member?.alarms() ?? []).map(({ alarm, memberId }) => ({ alarm: alarmName(alarm), memberId })),
      leaderId: () => this.#member?.leaderId ?? 0n,
      isLearner: () => this.#member?.isLearner ?? false,
      serializableRead: () => read(true),
      linearizableRead: () => read(false),
      errorText: (error) => (error instanceof EtcdError ? statusOf(error).text : String(error)),
      versions: () => ({
        server: member().status().version,
        cluster: agreed(member().clusterVersion, "not_decided"),
        storage: agreed(member().storageVersion, "unknown"),
        kvorum: KVORUM_VERSION,
      }),
      metricsText: () => registry.text(),
      series,
      log: logger.child("gateway/ops.ts"),
    };
  }
}

/** `--auto-tls` counts where no files are given. Whose certificates are asked for stays as it is said. */
function clientCertificate({ config, clock }: ClientSideParts): Partial<Config["tls"]> | undefined {
  const { tls, clientUrls, listenClientHttpUrls, listenMetricsUrls } = config;
  if (!tls.autoTls || tls.certFile !== "") return undefined;
  return ownCertificate("client", [...clientUrls.listen, ...listenClientHttpUrls, ...listenMetricsUrls], config, clock);
}

/** As many as there are files for, besides our own. */
function clientConnectionsMax(): number {
  const files = readProcessFacts().fileLimit ?? Number.POSITIVE_INFINITY;
  return Math.max(1, Math.min(MAX_CONNECTIONS, files - RESERVED_FILES));
}

/** The flag's default is etcd's, no bound. A bound that somebody chose stays, a high one too. */
function streamsMax({ grpcEngine, maxConcurrentStreams }: Config): number {
  return grpcEngine === "own" && maxConcurrentStreams === STREAMS_UNBOUNDED ? DEFAULT_STREAMS : maxConcurrentStreams;
}

function agreed(version: string, notYet: string): string | undefined {
  return version === notYet ? undefined : version;
}

function alarmName(alarm: number): string {
  return Object.entries(AlarmType).find(([, value]) => value === alarm)?.[0] ?? String(alarm);
}

interface Counted {
  inc(): void;
}

function rpcMetrics({ config, registry, series }: ClientSideParts): RpcMetrics {
  const methods = Object.values(SERVICES).flatMap(({ name: service, methods }) =>
    Object.values<AnyMethod>(methods).map(({ name, kind }) => ({ service, name, kind })),
  );
  const counters = createGrpcSeries(registry, methods, config.metrics === "extensive");
  const { network, server } = series;
  // Asked for each call, and of few different ones: finding the series anew would cost more than counting.
  const known = { unary: new Map<string, Counted>(), stream: new Map<string, Counted>() };
  const requests = (type: "unary" | "stream", version: string): Counted => {
    let found = known[type].get(version);
    if (found === undefined) {
      found = server.clientRequests.with(type, version);
      known[type].set(version, found);
    }
    return found;
  };
  return {
    counters: ({ path }) => counters.get(path) as ReturnType<RpcMetrics["counters"]>,
    clientRequest: (type, version) => requests(type, version).inc(),
    bytesReceived: (bytes) => network.clientReceivedBytes.inc(bytes),
    bytesSent: (bytes) => network.clientSentBytes.inc(bytes),
  };
}
