/**
 * A gRPC client that costs little: over node:http2, whose flow control is native, so that a client that asks for a
 * hundred megabytes is not itself the slowest part. It can read answers or only count their bytes.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import type { Codec } from "../../server/proto/codec.ts";

/** A method of `proto/services.ts`. */
interface MethodOf<Request, Response> {
  readonly path: string;
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
}

const PREFIX_BYTES = 5;
const STREAM_WINDOW_BYTES = 16 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES = 64 * 1024 * 1024;

/** What a call came to when it was refused. */
export class Refusal extends Error {
  readonly code: number;
  constructor(code: number, text: string) {
    super(`gRPC status ${code}: ${text}`);
    this.code = code;
  }
}

/** One connection. */
export class Peer {
  readonly #session: ClientHttp2Session;
  /** Bytes of bodies that have come. */
  receivedBytes = 0;

  private constructor(session: ClientHttp2Session) {
    this.#session = session;
  }

  static connect(endpoint: string): Promise<Peer> {
    return new Promise((resolve, reject) => {
      const session = connect(`http://${endpoint}`, { settings: { initialWindowSize: STREAM_WINDOW_BYTES } });
      session.once("error", reject);
      session.once("connect", () => {
        session.off("error", reject);
        session.on("error", () => undefined); // calls under way hear of it
        session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
        resolve(new Peer(session));
      });
    });
  }

  /** One request and its answer. Rejects with `Refusal`. */
  async call<Request, Response>(
    method: MethodOf<Request, Response>,
    request: Partial<Request> = {},
  ): Promise<Response> {
    const parts: Buffer[] = [];
    await this.#exchange(method.path, encode(method.request, request), (chunk) => void parts.push(chunk));
    return method.response.decode(Buffer.concat(parts).subarray(PREFIX_BYTES));
  }

  /** The same; the answer's bytes are only counted. */
  async discard<Request>(method: MethodOf<Request, unknown>, request: Partial<Request> = {}): Promise<void> {
    await this.#exchange(method.path, encode(method.request, request), () => undefined);
  }

  /** A stream both ways. `heard` gets each message, and `ended` is called once, with what ended it. */
  stream<Request, Response>(
    method: MethodOf<Request, Response>,
    heard: (message: Response) => void,
    ended: (refusal: Refusal | undefined) => void = () => undefined,
  ): Flow<Request> {
    const stream = this.#open(method.path);
    const messages = new Messages((bytes) => heard(method.response.decode(bytes)));
    watchEnd(stream, ended);
    stream.on("data", (chunk: Buffer) => {
      this.receivedBytes += chunk.length;
      messages.take(chunk);
    });
    return {
      send: (request) => stream.write(encode(method.request, request)),
      sendAll: (requests) => stream.write(Buffer.concat(requests.map((request) => encode(method.request, request)))),
      drained: () => new Promise((resolve) => (stream.writableNeedDrain ? stream.once("drain", resolve) : resolve())),
      pause: () => stream.pause(),
    };
  }

  close(): void {
    this.#session.destroy();
  }

  #exchange(path: string, body: Buffer, data: (chunk: Buffer) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const stream = this.#open(path);
      watchEnd(stream, (refusal) => (refusal === undefined ? resolve() : reject(refusal)));
      stream.on("data", (chunk: Buffer) => {
        this.receivedBytes += chunk.length;
        data(chunk);
      });
      stream.end(body);
    });
  }

  #open(path: string): ClientHttp2Stream {
    return this.#session.request(
      {
        [constants.HTTP2_HEADER_METHOD]: "POST",
        [constants.HTTP2_HEADER_PATH]: path,
        "content-type": "application/grpc",
        te: "trailers",
      },
      { endStream: false },
    );
  }
}

export interface Flow<Request> {
  /** False: wait for `drained`. */
  send(request: Partial<Request>): boolean;
  sendAll(requests: readonly Partial<Request>[]): boolean;
  drained(): Promise<void>;
  /** Reads nothing more. */
  pause(): void;
}

/** Calls `ended` once: with nothing for status 0, else with what the server or the connection said. */
function watchEnd(stream: ClientHttp2Stream, ended: (refusal: Refusal | undefined) => void): void {
  let status: { readonly code: number; readonly text: string } | undefined;
  const read = (headers: Record<string, unknown>) => {
    const code = headers["grpc-status"];
    if (code !== undefined) status = { code: Number(code), text: String(headers["grpc-message"] ?? "") };
  };
  stream.on("response", read);
  stream.on("trailers", read);
  stream.on("error", () => undefined); // "close" follows
  stream.once("close", () => {
    if (status === undefined) ended(new Refusal(-1, `the stream ended without a status (reset ${stream.rstCode})`));
    else ended(status.code === 0 ? undefined : new Refusal(status.code, decodeURIComponent(status.text)));
  });
}

function encode<T>(codec: Codec<T>, fields: Partial<T>): Buffer {
  const bytes = codec.encode(codec.create(fields));
  const message = Buffer.allocUnsafe(PREFIX_BYTES + bytes.length);
  message[0] = 0;
  message.writeUInt32BE(bytes.length, 1);
  message.set(bytes, PREFIX_BYTES);
  return message;
}

/** Cuts a stream's bytes into messages. */
class Messages {
  readonly #heard: (bytes: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(heard: (bytes: Buffer) => void) {
    this.#heard = heard;
  }

  take(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= PREFIX_BYTES) {
      const end = at + PREFIX_BYTES + bytes.readUInt32BE(at + 1);
      if (end > bytes.length) break;
      this.#heard(bytes.subarray(at + PREFIX_BYTES, end));
      at = end;
    }
    this.#rest = bytes.subarray(at);
  }
}
