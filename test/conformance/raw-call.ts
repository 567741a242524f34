/** Calls made by hand on HTTP/2, for what no client library would send. */
import { type ClientHttp2Session, connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import { statusText } from "./store.ts";

/** What came back. */
export interface RawAnswer {
  readonly headers: IncomingHttpHeaders;
  /** As in `refusal`; "" when the answer is no gRPC. */
  readonly status: string;
  readonly data: Buffer;
}

/** A message as gRPC frames it. `flag` 1: compressed. */
export function framed(message: Uint8Array, flag = 0): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame[0] = flag;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

export class RawConnection {
  readonly #session: ClientHttp2Session;

  constructor(url: string) {
    this.#session = connect(url);
    this.#session.on("error", () => undefined);
  }

  /** One call with these bytes as its whole body. */
  call(path: string, body: Uint8Array, headers: OutgoingHttpHeaders = {}): Promise<RawAnswer> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
        ...headers,
      });
      let answered: IncomingHttpHeaders = {};
      let trailers: IncomingHttpHeaders = {};
      const chunks: Buffer[] = [];
      stream.on("response", (got) => {
        answered = got;
      });
      stream.on("trailers", (got) => {
        trailers = got;
      });
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        resolve({ headers: answered, status: statusIn({ ...answered, ...trailers }), data: Buffer.concat(chunks) });
        stream.close();
      });
      stream.on("error", reject);
      stream.on("close", () => reject(new Error("the call was closed without an answer")));
      stream.end(body);
    });
  }

  close(): void {
    this.#session.destroy();
  }
}

function statusIn(headers: IncomingHttpHeaders): string {
  const code = headers["grpc-status"];
  if (code === undefined) return "";
  const text = decodeURIComponent(String(headers["grpc-message"] ?? ""));
  return statusText({ code: Number(code), text });
}
