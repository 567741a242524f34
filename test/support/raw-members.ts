/** What stands at the other end of a connection in tests of the transport: a door, a member that reads nothing, a stub. */
import { connect, createServer, type Socket } from "node:net";
import { memberIdText } from "../../server/base/int64.ts";
import { Message } from "../../server/proto/raftpb.ts";
import type { TransportMember } from "./transport-member.ts";

/** Something between members that can be shut. */
export class Door {
  readonly url: string;
  readonly #close: () => Promise<void>;
  readonly #sockets: Set<Socket>;
  #isShut = false;

  private constructor(url: string, sockets: Set<Socket>, close: () => Promise<void>) {
    this.url = url;
    this.#sockets = sockets;
    this.#close = close;
  }

  static async open(to: number): Promise<Door> {
    const sockets = new Set<Socket>();
    let door: Door | undefined;
    const server = createServer((near) => {
      sockets.add(near);
      near.on("error", () => undefined);
      if (door?.isShut === true) {
        near.destroy();
        return;
      }
      const far = connect(to, "127.0.0.1");
      sockets.add(far);
      far.on("error", () => near.destroy());
      near.on("close", () => far.destroy());
      far.on("close", () => near.destroy());
      near.pipe(far).pipe(near);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    door = new Door(`http://127.0.0.1:${port}`, sockets, () => new Promise((resolve) => server.close(() => resolve())));
    return door;
  }

  get isShut(): boolean {
    return this.#isShut;
  }

  cut(): void {
    this.#isShut = true;
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  mend(): void {
    this.#isShut = false;
  }

  async close(): Promise<void> {
    this.cut();
    await this.#close();
  }
}

/** A member by hand: dials for both streams, and reads nothing unless told to. */
export class SlowReader {
  readonly #sockets: { readonly append: Socket; readonly message: Socket };
  isClosed = false;

  private constructor(append: Socket, message: Socket) {
    this.#sockets = { append, message };
    append.once("close", () => {
      this.isClosed = true;
    });
  }

  static async dial(server: TransportMember, id: bigint): Promise<SlowReader> {
    server.network.addPeer(id, ["http://127.0.0.1:1"]);
    const [append, message] = [await dialStream(server, id, "msgapp"), await dialStream(server, id, "message")];
    return new SlowReader(append, message);
  }

  /** From now on reads the stream of messages; answers the list that they are put into. */
  async readMessages(server: TransportMember): Promise<Message[]> {
    const messages: Message[] = [];
    const text = Buffer.from(Message.encode(server.heartbeat(3n, 77))).toString("latin1");
    let seen = "";
    this.#sockets.message.on("data", (bytes: Buffer) => {
      seen += bytes.toString("latin1");
      if (seen.includes(text)) messages.push(server.heartbeat(3n, 77));
    });
    this.#sockets.message.resume();
    return messages;
  }

  close(): void {
    this.#sockets.append.destroy();
    this.#sockets.message.destroy();
  }
}

async function dialStream(server: TransportMember, id: bigint, kind: string): Promise<Socket> {
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  socket.on("error", () => undefined);
  const head = [
    `GET /raft/stream/${kind}/${memberIdText(id)} HTTP/1.1`,
    "Host: x",
    "X-Etcd-Cluster-ID: c0ffee",
    "X-Server-Version: 3.7.3",
    "X-Min-Cluster-Version: 3.0.0",
    `X-Raft-To: ${memberIdText(server.id)}`,
    "",
    "",
  ];
  socket.write(head.join("\r\n"));
  await new Promise<void>((resolve, reject) => {
    socket.once("data", (bytes: Buffer) => {
      socket.pause();
      if (bytes.toString().startsWith("HTTP/1.1 200")) resolve();
      else reject(new Error(bytes.toString()));
    });
  });
  return socket;
}

/** A member that answers each request with given bytes. */
export class StubPeer {
  readonly url: string;
  readonly requests: string[];
  readonly #close: () => Promise<void>;

  private constructor(url: string, requests: string[], close: () => Promise<void>) {
    this.url = url;
    this.requests = requests;
    this.#close = close;
  }

  static async start(answer: (head: string, socket: Socket) => string): Promise<StubPeer> {
    const requests: string[] = [];
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("data", (bytes: Buffer) => {
        requests.push(bytes.toString());
        socket.write(answer(bytes.toString(), socket), "latin1");
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    return new StubPeer(`http://127.0.0.1:${port}`, requests, () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    });
  }

  close(): Promise<void> {
    return this.#close();
  }
}
