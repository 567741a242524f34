/**
 * A small etcd client on @grpc/grpc-js, typed by the table of `proto/services.ts`: for tests, the command line and the
 * operator. It sends what it is given and hides nothing of the answer: no retries, no balancing.
 */
import { type CallOptions, ChannelCredentials, Client as GrpcClient, Metadata } from "@grpc/grpc-js";
import { assert } from "../base/assert.ts";
import type { Method } from "../proto/services.ts";
import { type CallStatus, ended, StatusError } from "./call-status.ts";
import { type ClientTls, tlsCredentials } from "./credentials.ts";
import { BidiStream, ResponseStream } from "./streams.ts";

export { type CallStatus, StatusError } from "./call-status.ts";
export { BidiStream, ResponseStream } from "./streams.ts";

export interface ClientOptions {
  /** For https and unixs endpoints. */
  readonly tls?: ClientTls;
  /** Sent with every call, for example `token` or `hasleader`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Pings the server so often, without calls too. */
  readonly keepaliveMs?: number;
}

export interface CallSettings {
  readonly timeoutMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** A unary call's end: an answer only when the status is OK. */
export interface Ended<Res> {
  readonly response: Res | undefined;
  readonly status: CallStatus;
}

/** A client of one endpoint: "127.0.0.1:2379", "http://...", "https://...", "unix:///run/etcd.sock", "unixs://...". */
export function connect(endpoint: string, options: ClientOptions = {}): Client {
  return new Client(endpoint, options);
}

export class Client {
  readonly #grpc: GrpcClient;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(endpoint: string, { tls, headers, keepaliveMs }: ClientOptions = {}) {
    const { address, secure } = targetOf(endpoint);
    this.#headers = headers ?? {};
    this.#grpc = new GrpcClient(address, secure ? tlsCredentials(tls, address) : ChannelCredentials.createInsecure(), {
      "grpc.max_receive_message_length": -1,
      "grpc.max_send_message_length": -1,
      "grpc.enable_retries": 0,
      "grpc.enable_http_proxy": 0,
      "grpc.use_local_subchannel_pool": 1,
      ...(tls?.serverName === undefined ? {} : { "grpc.ssl_target_name_override": tls.serverName }),
      ...(keepaliveMs === undefined
        ? {}
        : { "grpc.keepalive_time_ms": keepaliveMs, "grpc.keepalive_permit_without_calls": 1 }),
    });
  }

  /** The answer; rejects with `StatusError`. */
  async unary<Req, Res>(
    method: Method<"unary", Req, Res>,
    request: Partial<Req> = {},
    settings: CallSettings = {},
  ): Promise<Res> {
    const { response, status } = await this.call(method, request, settings);
    if (response === undefined) throw new StatusError(status);
    return response;
  }

  async call<Req, Res>(
    method: Method<"unary", Req, Res>,
    request: Partial<Req> = {},
    settings: CallSettings = {},
  ): Promise<Ended<Res>> {
    const { response, status } = await this.callBytes(method.path, encoded(method, request), settings);
    return { response: response === undefined ? undefined : method.response.decode(response), status };
  }

  /** A unary call with the bytes of a message, whatever they are. */
  callBytes(path: string, request: Uint8Array, settings: CallSettings = {}): Promise<Ended<Uint8Array>> {
    return new Promise((resolve) => {
      let response: Uint8Array | undefined;
      const take = (_error: unknown, answer: Uint8Array | undefined) => {
        response = answer;
        settled();
      };
      let status: CallStatus | undefined;
      let waiting = 2; // answer and status come in an order of their own
      const settled = () => {
        waiting--;
        if (waiting === 0 && status !== undefined) {
          resolve({ response: status.code === 0 ? response : undefined, status });
        }
      };
      const call = this.#grpc.makeUnaryRequest(
        path,
        asBuffer,
        asBytes,
        request,
        this.#metadata(settings),
        callOptions(settings),
        take,
      );
      call.once("status", (end) => {
        status = ended(end);
        settled();
      });
      settings.signal?.addEventListener("abort", () => call.cancel(), { once: true });
    });
  }

  serverStream<Req, Res>(
    method: Method<"serverStream", Req, Res>,
    request: Partial<Req> = {},
    settings: CallSettings = {},
  ): ResponseStream<Res> {
    const call = this.#grpc.makeServerStreamRequest(
      method.path,
      asBuffer,
      asBytes,
      encoded(method, request),
      this.#metadata(settings),
      callOptions(settings),
    );
    return new ResponseStream(call, method.response);
  }

  bidi<Req, Res>(method: Method<"bidi", Req, Res>, settings: CallSettings = {}): BidiStream<Req, Res> {
    const metadata = this.#metadata(settings);
    const call = this.#grpc.makeBidiStreamRequest(method.path, asBuffer, asBytes, metadata, callOptions(settings));
    return new BidiStream(call, method.request, method.response);
  }

  close(): void {
    this.#grpc.close();
  }

  #metadata(settings: CallSettings): Metadata {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries({ ...this.#headers, ...settings.headers })) metadata.set(name, value);
    return metadata;
  }
}

function encoded<Req>(method: { readonly request: Method<"unary", Req, unknown>["request"] }, request: Partial<Req>) {
  return method.request.encode(method.request.create(request));
}

function callOptions({ timeoutMs }: CallSettings): CallOptions {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

function targetOf(endpoint: string): { address: string; secure: boolean } {
  const match = /^(?:(https?|unixs?):\/\/)?(.+?)\/?$/.exec(endpoint);
  const [, scheme = "http", rest] = match ?? [];
  assert(rest !== undefined, `an endpoint looks like http://127.0.0.1:2379, not ${JSON.stringify(endpoint)}`);
  const secure = scheme === "https" || scheme === "unixs";
  return { address: scheme.startsWith("unix") ? `unix:${rest}` : rest, secure };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function asBytes(bytes: Buffer): Uint8Array {
  return bytes;
}
