/** One connection of an attacker: it writes what it likes, and keeps account of what it is told. */
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Http2Code } from "../../server/http2/errors.ts";
import { Flag, FRAME_HEAD_BYTES, FrameType, PREFACE } from "../../server/http2/frame.ts";
import { frame, settings } from "./frames.ts";

export interface RawOptions {
  /** Says nothing by itself. */
  readonly silent?: boolean;
  /** SETTINGS of its greeting. */
  readonly settings?: readonly (readonly [name: number, value: number])[];
  /** Does not acknowledge SETTINGS, which may not come in the middle of a header block. */
  readonly mute?: boolean;
  /** Does not read what comes. */
  readonly deaf?: boolean;
  /** TCP alone, where the port speaks TLS. */
  readonly noTls?: boolean;
}

export interface Target {
  readonly port: number;
  readonly tls: boolean;
}

/** How long a write may wait for the server to take it. */
const WRITE_MS = 200;

export class RawClient {
  /** How it ended; undefined: it is open. */
  ended: string | undefined;
  /** Resets of streams by the server, by code. */
  readonly resets = new Map<string, number>();
  /** Called for each frame of the server. */
  onFrame: ((type: number, flags: number, id: number, payload: Buffer) => void) | undefined;
  readonly socket: Socket;
  readonly #mute: boolean;
  #rest: Buffer = Buffer.alloc(0);
  #goAway: string | undefined;

  private constructor(socket: Socket, { deaf = false, silent = false, mute = false }: RawOptions) {
    this.socket = socket;
    this.#mute = mute;
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.ended ??= this.#goAway ?? "closed";
    });
    socket.on("end", () => {
      this.ended ??= this.#goAway ?? "closed";
    });
    if (deaf) socket.pause();
    else if (silent) socket.resume();
    else socket.on("data", (bytes: Buffer) => this.#read(bytes));
  }

  static open(target: Target, options: RawOptions): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const tls = target.tls && options.noTls !== true;
      const to = { port: target.port, host: "127.0.0.1" };
      const socket = tls
        ? connectTls({ ...to, ALPNProtocols: ["h2"], rejectUnauthorized: false, servername: "localhost" })
        : connect(to);
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("closed")));
      socket.once(tls ? "secureConnect" : "connect", () => {
        socket.removeAllListeners("close");
        socket.removeAllListeners("error");
        const client = new RawClient(socket, options);
        if (options.silent !== true) socket.write(Buffer.concat([PREFACE, settings(...(options.settings ?? []))]));
        resolve(client);
      });
    });
  }

  /** Resolves when the system has taken it, or after a moment: a server need not read. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.ended !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      if (bytes.length === 0) return resolve();
      if (this.socket.writableLength > 4 * 2 ** 20) {
        setTimeout(resolve, WRITE_MS); // not taken: no more is piled up here
        return;
      }
      const timer = setTimeout(resolve, WRITE_MS);
      this.socket.write(bytes, () => {
        clearTimeout(timer);
        setImmediate(resolve);
      });
    });
  }

  close(): void {
    this.ended ??= "left";
    this.socket.destroy();
  }

  #read(bytes: Buffer): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    while (all.length - at >= FRAME_HEAD_BYTES) {
      const to = at + FRAME_HEAD_BYTES + all.readUIntBE(at, 3);
      if (to > all.length) break;
      const payload = all.subarray(at + FRAME_HEAD_BYTES, to);
      this.#took(all[at + 3] as number, all[at + 4] as number, all.readUInt32BE(at + 5) & 0x7fff_ffff, payload);
      at = to;
    }
    this.#rest = at === all.length ? NO_BYTES : Buffer.from(all.subarray(at));
  }

  #took(type: number, flags: number, id: number, payload: Buffer): void {
    if (type === FrameType.SETTINGS && (flags & Flag.ACK) === 0 && this.ended === undefined && !this.#mute)
      this.socket.write(frame(FrameType.SETTINGS, Flag.ACK, 0));
    if (type === FrameType.GOAWAY && payload.length >= 8) {
      const why = payload.subarray(8).toString("latin1");
      this.#goAway = `GOAWAY ${codeName(payload.readUInt32BE(4))}${why === "" ? "" : ` (${why})`}`;
    } else if (type === FrameType.RST_STREAM && payload.length === 4) {
      const name = `RST ${codeName(payload.readUInt32BE(0))}`;
      this.resets.set(name, (this.resets.get(name) ?? 0) + 1);
    }
    this.onFrame?.(type, flags, id, payload);
  }
}

const NO_BYTES = Buffer.alloc(0);

function codeName(code: number): string {
  return Object.entries(Http2Code).find(([, value]) => value === code)?.[0] ?? String(code);
}
