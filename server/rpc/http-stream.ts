/** A plain HTTP request on a stream of our HTTP/2 engine: it is asked when its body has ended, and answered at once. */
import type { FieldToSend } from "../http2/hpack.ts";
import type { RequestHead } from "../http2/request-head.ts";
import type { Stream, StreamOwner } from "../http2/stream.ts";

/** What came: a body is not looked at. */
export interface PlainRequest {
  readonly method: string;
  /** As it came, with the query. */
  readonly target: string;
  /** Of ":authority", else of "host"; "" without either. */
  readonly host: string;
  readonly secure: boolean;
  /** The first of that name, in lower case; undefined: there is none. */
  header(name: string): string | undefined;
}

export interface PlainAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string | Uint8Array;
}

/** Answers a request that is no gRPC. A rejection resets the stream. */
export type HttpHandler = (request: PlainRequest) => Promise<PlainAnswer>;

const NO_BYTES = new Uint8Array(0);
const INTERNAL_ERROR = 2;

export class HttpStream implements StreamOwner {
  readonly #stream: Stream;
  readonly #head: RequestHead;
  readonly #secure: boolean;
  readonly #handler: HttpHandler;

  constructor(stream: Stream, head: RequestHead, secure: boolean, handler: HttpHandler) {
    this.#stream = stream;
    this.#head = head;
    this.#secure = secure;
    this.#handler = handler;
  }

  data(bytes: Uint8Array): void {
    this.#stream.consumed(bytes.length);
  }

  end(): void {
    const head = this.#head;
    const { method, path: target } = head;
    const host = head.authority || head.get("host") || "";
    const request = { method, target, host, secure: this.#secure, header: (name: string) => head.get(name) };
    this.#handler(request).then(
      (answer) => this.#answer(answer),
      () => this.#stream.reset(INTERNAL_ERROR),
    );
  }

  drained(): void {}

  gone(): void {}

  #answer({ status, headers, body }: PlainAnswer): void {
    const bytes = typeof body === "string" ? Buffer.from(body, "utf8") : body;
    const fields: FieldToSend[] = [{ name: ":status", value: String(status) }];
    for (const [name, value] of headers) fields.push({ name: name.toLowerCase(), value });
    const silent = this.#head.method === "HEAD";
    if (bytes.length > 0 || !silent) fields.push({ name: "content-length", value: String(bytes.length) });
    const empty = silent || bytes.length === 0;
    this.#stream.respond(fields, empty);
    if (empty) return;
    this.#stream.send(NO_BYTES, bytes, false);
    this.#stream.finish(undefined);
  }
}
