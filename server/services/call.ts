/**
 * What a service knows of a call, and how it answers: the seam between the meaning of an API call and the engine that
 * carries it. Nothing here says gRPC, HTTP or JSON; an engine (`rpc/`), the gateway and the tests each bring their own
 * Call, Outlet and callers of Inlet.
 */
import type { EtcdError } from "../base/error.ts";

/** One call, as far as services and the member below may know it. */
export interface Call {
  /** The caller's token; undefined when none came. */
  readonly token: string | undefined;
  /** CN of the verified client certificate; undefined without one. */
  readonly commonName: string | undefined;
  /** "127.0.0.1:4711", for log lines. */
  readonly remoteAddress: string;
  /** When the caller stops waiting, by the monotonic clock, in milliseconds; undefined: never. */
  readonly deadlineMs: number | undefined;
  /** The caller wants a refusal rather than an answer of a member that has no leader (`hasleader`). */
  readonly requiresLeader: boolean;
  /** "unknown" when the caller did not say. */
  readonly clientApiVersion: string;
  /**
   * Nobody waits for the answer: the caller went away, its deadline passed, or the server ended the call. Not when the
   * service itself has ended it.
   */
  readonly canceled: boolean;
  /** What waits for the peer on the connection of the call, in bytes, as far as the engine tells. */
  readonly unsentBytes?: number;
  /** The same for the connections of all calls together. */
  readonly unsentOfAllBytes?: number;
  /** `action` runs once when that happens; at once when it already has. */
  onCanceled(action: () => void): void;
}

/** Answers of a stream, in order. After `end` or `fail` nothing more is sent, and calls do nothing. */
export interface Outlet<Response> {
  /** False: the caller reads slowly. The message is taken all the same; keep the next ones back until `onDrain`. */
  write(message: Response): boolean;
  /** The same for the bytes of a message: one that goes to many is encoded once. */
  writeEncoded(bytes: Uint8Array): boolean;
  /** `action` runs each time there is room again after `write` has answered false. One action; a new one replaces it. */
  onDrain(action: () => void): void;
  /** The stream is complete. */
  end(): void;
  fail(error: EtcdError): void;
}

/** Requests of a stream, as the engine hands them over: one at a time, in order. */
export interface Inlet<Request> {
  /**
   * The next request is read only when the promise resolves: this is how a stream that asks faster than it reads its
   * answers is held back. A refusal thrown, or that it rejects with, ends the stream.
   */
  message(request: Request): void | Promise<void>;
  /** No more requests will come; answers may still go out. Called when the last message has been dealt with. */
  halfClose(): void;
  /** The stream is over, whoever ended it: let go of everything. Called exactly once. */
  canceled(): void;
}

/** Handlers refuse with EtcdError only: thrown, rejected, or through `Outlet.fail`. */
export type UnaryHandler<Request, Response> = (request: Request, call: Call) => Response | Promise<Response>;

export type ServerStreamHandler<Request, Response> = (request: Request, call: Call, outlet: Outlet<Response>) => void;

export type BidiHandler<Request, Response> = (call: Call, outlet: Outlet<Response>) => Inlet<Request>;
