/**
 * The network between members on one machine, as something that can be cut: each member is reached by the others through
 * a gate of its own, which tells by the address that a connection comes from who has dialled. What goes from one member to
 * another is held back while that way is cut, whoever opened the connection; afterwards it arrives, or the connection
 * breaks.
 */
import { createConnection, createServer, type Server, type Socket } from "node:net";

/** One direction between two members, by their names. */
export interface Way {
  readonly from: string;
  readonly to: string;
}

/** A connection through a gate. */
interface Passage {
  readonly dialler: string;
  readonly owner: string;
  readonly outer: Socket;
  readonly inner: Socket;
}

export class Links {
  readonly #names = new Map<string, string>();
  readonly #gates = new Map<string, Gate>();
  readonly #passages = new Set<Passage>();
  /** How many have cut each way. */
  readonly #cuts = new Map<string, number>();

  /** The gate of a member that dials from `address`. Whoever makes it sets where it leads, and closes all at the end. */
  async open(name: string, address: string): Promise<Gate> {
    this.#names.set(address, name);
    const gate = new Gate((outer) => this.#enter(name, outer, gate));
    this.#gates.set(name, gate);
    await gate.listen();
    return gate;
  }

  /**
   * Cuts ways; answers what mends them: with `breaks` connections that had been held break, else they go on. That answers
   * on how many of the ways there was something to hold.
   */
  cut(ways: readonly Way[]): (breaks: boolean) => number {
    for (const way of ways) this.#count(way, 1);
    for (const passage of this.#passages) this.#flow(passage);
    return (breaks) => {
      const held = ways.filter((way) => this.#holds(way)).length;
      for (const way of ways) this.#count(way, -1);
      for (const passage of this.#passages) {
        if (breaks && ways.some((way) => concerns(way, passage))) destroy(passage);
        else this.#flow(passage);
      }
      return held;
    };
  }

  close(): void {
    for (const gate of this.#gates.values()) gate.close();
    for (const passage of this.#passages) destroy(passage);
  }

  #enter(owner: string, outer: Socket, gate: Gate): void {
    const dialler = this.#names.get((outer.remoteAddress ?? "").replace(/^::ffff:/, ""));
    // Somebody who is no member: a tool, or one that was removed and forgotten.
    if (dialler === undefined || gate.port === 0) return void outer.destroy();
    const inner = createConnection({ host: "127.0.0.1", port: gate.port, allowHalfOpen: true });
    const passage = { dialler, owner, outer, inner };
    this.#passages.add(passage);
    this.#join(passage, outer, inner, { from: dialler, to: owner });
    this.#join(passage, inner, outer, { from: owner, to: dialler });
    this.#flow(passage);
  }

  /** What `source` says goes to `target` as long as the way is open, its end and its death too. */
  #join(passage: Passage, source: Socket, target: Socket, way: Way): void {
    source.setNoDelay(true);
    source.on("data", (piece: Buffer) => {
      if (this.#isCut(way)) {
        source.pause();
        source.unshift(piece);
      } else if (!target.write(piece)) source.pause();
    });
    target.on("drain", () => {
      if (!this.#isCut(way)) source.resume();
    });
    source.on("end", () => {
      if (!this.#isCut(way)) target.end();
    });
    source.on("error", () => undefined); // "close" follows
    source.on("close", () => {
      // Nobody behind a cut way hears that the other has died.
      if (!this.#isCut(way)) destroy(passage);
      if (passage.inner.destroyed && passage.outer.destroyed) this.#passages.delete(passage);
    });
  }

  #flow({ dialler, owner, outer, inner }: Passage): void {
    for (const [source, target, way] of [
      [outer, inner, { from: dialler, to: owner }],
      [inner, outer, { from: owner, to: dialler }],
    ] as const) {
      if (this.#isCut(way)) source.pause();
      else if (source.destroyed) target.destroy();
      else if (source.readableEnded) target.end();
      else if (!target.writableNeedDrain) source.resume();
    }
  }

  #holds({ from, to }: Way): boolean {
    for (const { dialler, owner, outer, inner } of this.#passages) {
      if (dialler === from && owner === to && outer.readableLength > 0) return true;
      if (dialler === to && owner === from && inner.readableLength > 0) return true;
    }
    return false;
  }

  #isCut({ from, to }: Way): boolean {
    return (this.#cuts.get(`${from} ${to}`) ?? 0) > 0;
  }

  #count({ from, to }: Way, by: number): void {
    const name = `${from} ${to}`;
    this.#cuts.set(name, (this.#cuts.get(name) ?? 0) + by);
  }
}

/** Where the others find a member. */
export class Gate {
  /** Of the member itself; 0: nobody gets through. */
  port = 0;
  readonly #server: Server;
  #url = "";

  constructor(enter: (socket: Socket) => void) {
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, enter);
  }

  get url(): string {
    return this.#url;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", resolve);
    });
    this.#url = `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  close(): void {
    this.#server.close();
  }
}

function concerns({ from, to }: Way, { dialler, owner }: Passage): boolean {
  return (from === dialler && to === owner) || (from === owner && to === dialler);
}

function destroy({ outer, inner }: Passage): void {
  outer.destroy();
  inner.destroy();
}
