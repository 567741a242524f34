/**
 * What goes out of a connection: frames are written into pooled chunks and leave in one write a turn. While a write is
 * under way the next one collects, and a chunk is used again only when the write that took it has returned.
 */
import type { Socket } from "node:net";

const CHUNK_BYTES = 64 * 1024;
/** Chunks that are kept for later: 4 MiB. */
const FREE_MAX = 64;
const NOTHING: Buffer = Buffer.alloc(0);

/** Chunks that nobody uses at the moment. */
export class ChunkPool {
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
  }

  giveBack(chunk: Buffer): void {
    if (this.#free.length < FREE_MAX) this.#free.push(chunk);
  }
}

/** Connections that have something to send, flushed together when what happens now has happened. */
export class FlushTurn {
  #waiting: { flush(): void }[] = [];

  /** `flush` is called once, after all promise jobs of this turn. */
  join(connection: { flush(): void }): void {
    // Answers come out of promise jobs: the tick queue runs when there are none left, so that all of them go together.
    if (this.#waiting.push(connection) === 1) process.nextTick(this.#flushAll);
  }

  readonly #flushAll = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const connection of waiting) connection.flush();
  };
}

export class Output {
  /** The chunk being written; its first `at` bytes are. Only `reserve` may be followed by writing. */
  bytes: Buffer = NOTHING;
  at = 0;
  readonly #socket: Socket;
  readonly #pool: ChunkPool;
  readonly #written: () => void;
  /** Chunks that are full, before `bytes`. */
  #full: { readonly chunk: Buffer; readonly length: number }[] = [];
  #fullBytes = 0;
  /** Chunks that the socket has now. */
  #taken: Buffer[] = [];
  #takenBytes = 0;

  /** `written`: a write has returned. */
  constructor(socket: Socket, pool: ChunkPool, written: () => void) {
    this.#socket = socket;
    this.#pool = pool;
    this.#written = written;
  }

  /** Written, and not yet taken by the system. */
  get waitingBytes(): number {
    return this.at + this.#fullBytes + this.#takenBytes;
  }

  /** Makes `bytes` have room for so many, at most as many as a frame and its head have. */
  reserve(count: number): void {
    if (this.at + count <= this.bytes.length) return;
    if (this.at > 0) {
      this.#full.push({ chunk: this.bytes, length: this.at });
      this.#fullBytes += this.at;
    }
    this.bytes = this.#pool.take();
    this.at = 0;
  }

  /** Hands everything to the socket, unless a write is under way: then it goes when that returns. */
  flush(): void {
    if (this.#takenBytes > 0 || this.at === 0) return;
    const { bytes, at } = this;
    const socket = this.#socket;
    this.#takenBytes = this.#fullBytes + at;
    if (this.#full.length === 0) {
      this.#taken.push(bytes);
      this.bytes = NOTHING;
      this.at = 0;
      socket.write(bytes.subarray(0, at), this.#returned);
      return;
    }
    const full = this.#full;
    this.#full = [];
    this.#fullBytes = 0;
    this.bytes = NOTHING;
    this.at = 0;
    socket.cork();
    for (const { chunk, length } of full) {
      this.#taken.push(chunk);
      socket.write(chunk.subarray(0, length));
    }
    this.#taken.push(bytes);
    socket.write(bytes.subarray(0, at), this.#returned);
    socket.uncork();
  }

  /** Nothing more will be sent; what the socket has stays with it. */
  close(): void {
    this.#full = [];
    this.#fullBytes = 0;
    this.bytes = NOTHING;
    this.at = 0;
  }

  readonly #returned = (error?: Error | null): void => {
    // After an error the system may still be reading from them.
    if (!error) for (const chunk of this.#taken) this.#pool.giveBack(chunk);
    this.#taken = [];
    this.#takenBytes = 0;
    this.#written();
  };
}
