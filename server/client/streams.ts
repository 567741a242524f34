/** Streams of the client, read a message at a time: a reader that does not ask holds the server back. */
import type { ClientDuplexStream, ClientReadableStream } from "@grpc/grpc-js";
import type { Codec } from "../proto/codec.ts";
import { type CallStatus, ended } from "./call-status.ts";

export class ResponseStream<Res> {
  /** How the stream ended; resolves whatever that was. */
  readonly status: Promise<CallStatus>;
  readonly #call: ClientReadableStream<Uint8Array>;
  readonly #codec: Codec<Res>;
  #messages: AsyncIterator<Uint8Array> | undefined;

  constructor(call: ClientReadableStream<Uint8Array>, codec: Codec<Res>) {
    this.#call = call;
    this.#codec = codec;
    this.status = new Promise((resolve) => {
      call.once("status", (status) => resolve(ended(status)));
    });
    call.on("error", () => undefined); // `status` says it
  }

  /** The next message; undefined when the stream is over. One call at a time. */
  async next(): Promise<Res | undefined> {
    this.#messages ??= this.#call[Symbol.asyncIterator]();
    try {
      const { value, done } = await this.#messages.next();
      return done ? undefined : this.#codec.decode(value as Uint8Array);
    } catch {
      return undefined;
    }
  }

  /** All messages until the end. */
  async all(): Promise<Res[]> {
    const messages: Res[] = [];
    for (let message = await this.next(); message !== undefined; message = await this.next()) messages.push(message);
    return messages;
  }

  cancel(): void {
    this.#call.cancel();
  }
}

export class BidiStream<Req, Res> extends ResponseStream<Res> {
  readonly #requests: ClientDuplexStream<Uint8Array, Uint8Array>;
  readonly #requestCodec: Codec<Req>;

  constructor(call: ClientDuplexStream<Uint8Array, Uint8Array>, request: Codec<Req>, response: Codec<Res>) {
    super(call, response);
    this.#requests = call;
    this.#requestCodec = request;
  }

  /** False: the server reads slowly. */
  send(request: Partial<Req>): boolean {
    return this.sendBytes(this.#requestCodec.encode(this.#requestCodec.create(request)));
  }

  sendBytes(bytes: Uint8Array): boolean {
    return this.#requests.write(bytes);
  }

  halfClose(): void {
    this.#requests.end();
  }
}
