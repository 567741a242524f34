/** What listeners ask of a gRPC engine, whichever it is. */
import type { Socket } from "node:net";

export interface Engine {
  /** A connection whose peer speaks HTTP/2, on a plain socket or inside TLS. It is the engine's from now on. */
  accept(socket: Socket): void;
  /**
   * Tells all peers to go elsewhere, ends streams, lets unary calls finish for at most `graceMs`, and closes every
   * connection.
   */
  stop(graceMs: number): Promise<void>;
}
