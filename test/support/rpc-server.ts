/** A server of the real services on real sockets, over a member that the test brings. */

import type { RequestListener } from "node:http";
import { performance } from "node:perf_hooks";
import { type ListenerOptions, Listeners } from "../../server/cli/listeners.ts";
import { parseAddress } from "../../server/config/urls.ts";
import type { Logger } from "../../server/ports/logger.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { OwnEngine } from "../../server/rpc/bind.ts";
import { GrpcJsEngine, type GrpcJsOptions } from "../../server/rpc/bind-grpc-js.ts";
import { Dispatcher, type DispatcherOptions } from "../../server/rpc/dispatch.ts";
import { Health } from "../../server/rpc/health.ts";
import type { HttpHandler } from "../../server/rpc/http-stream.ts";
import { NO_RPC_METRICS } from "../../server/rpc/interceptors.ts";
import type { AllServices } from "../../server/services/handlers.ts";
import { createServices } from "../../server/services/services.ts";
import type { FakeMember } from "./fake-member.ts";

export const MAX_REQUEST_BYTES = 1_572_864;
export const MAX_RECEIVE_BYTES = 2_097_152;

export const NO_TLS: ListenerOptions["tls"] = {
  certFile: "",
  keyFile: "",
  trustedCaFile: "",
  crlFile: "",
  clientCertAuth: false,
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
  ciphers: undefined,
};

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Keeps what is logged. */
export function recordingLogger(): Logger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at =
    (level: string) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}) =>
      void lines.push({ level, message, fields });
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

export interface RpcServer {
  /** "http://127.0.0.1:4711", one for each address asked for. */
  readonly urls: string[];
  readonly health: Health;
  readonly dispatcher: Dispatcher;
  readonly listeners: Listeners;
  readonly logger: ReturnType<typeof recordingLogger>;
  /** What came out of handlers and was no refusal. */
  readonly broken: unknown[];
  stop(graceMs?: number): Promise<void>;
}

/** Handlers that a test puts in the place of the real ones. */
export type Overrides = { readonly [Service in keyof AllServices]?: Partial<AllServices[Service]> };

function overridden(real: AllServices, overrides: Overrides): AllServices {
  const services: Record<string, Record<string, unknown>> = {};
  for (const [name, { methods }] of Object.entries(SERVICES)) {
    const implementation = real[name as keyof AllServices] as unknown as Record<string, () => unknown>;
    const instead = (overrides[name as keyof AllServices] ?? {}) as Record<string, unknown>;
    const handlers = Object.keys(methods).map((key) => [
      key,
      instead[key] ?? implementation[key]?.bind(implementation),
    ]);
    services[name] = Object.fromEntries(handlers);
  }
  return services as unknown as AllServices;
}

/** What both engines take alike. */
function ownOptions({ http: _http, ...rest }: Partial<GrpcJsOptions> = {}): Omit<Partial<GrpcJsOptions>, "http"> {
  return rest;
}

export async function startRpcServer(
  member: FakeMember,
  options: {
    readonly urls?: readonly string[];
    readonly tls?: ListenerOptions["tls"];
    readonly handlers?: (real: AllServices) => Overrides;
    readonly dispatcher?: Partial<DispatcherOptions>;
    readonly engine?: Partial<GrpcJsOptions>;
    readonly http?: RequestListener;
    /** Our own engine instead of grpc-js, with what answers its plain HTTP. */
    readonly own?: { readonly http?: HttpHandler };
  } = {},
): Promise<RpcServer> {
  const addresses = (options.urls ?? ["http://127.0.0.1:0"]).map(parseAddress);
  const logger = recordingLogger();
  const tls = options.tls ?? NO_TLS;
  const listeners = await Listeners.bind({ addresses, flag: "--listen-client-urls", tls, logger });
  const health = new Health();
  const broken: unknown[] = [];
  const kvOptions = { maxTxnOperations: 128, maxRequestBytes: MAX_REQUEST_BYTES };
  const services: AllServices = { ...createServices(member, kvOptions), health };
  const monotonicMs = () => performance.now();
  const dispatcher = new Dispatcher({
    services: overridden(services, options.handlers?.(services) ?? {}),
    facts: member,
    metrics: NO_RPC_METRICS,
    electionMs: 1000,
    monotonicMs,
    broken: (error) => broken.push(error),
    ...options.dispatcher,
  });
  const engineOptions = {
    dispatcher,
    maxReceiveBytes: MAX_RECEIVE_BYTES,
    maxConcurrentStreams: 0xffff_ffff,
    keepalive: { minTimeMs: 5000, intervalMs: 7_200_000, timeoutMs: 20_000 },
    monotonicMs,
  };
  const engine =
    options.own === undefined
      ? new GrpcJsEngine({ ...engineOptions, http: options.http, ...options.engine })
      : new OwnEngine({ ...engineOptions, ...ownOptions(options.engine), http: options.own.http });
  listeners.serve({ engine, http: options.http });
  const urls = listeners.addresses.map((address, at) => {
    const { scheme } = addresses[Math.min(at, addresses.length - 1)] as { scheme: string };
    return `${scheme}://${address}`;
  });
  return { urls, health, dispatcher, listeners, logger, broken, stop: (graceMs = 1000) => listeners.close(graceMs) };
}
