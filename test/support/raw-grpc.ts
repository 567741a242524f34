/** gRPC calls made by hand, for what no client library would send, to a server of either engine. */
import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { type TestContext, test } from "node:test";
import { type Client, connect } from "../../server/client/client.ts";
import { FakeMember } from "./fake-member.ts";
import { type RpcServer, startRpcServer } from "./rpc-server.ts";

export type EngineName = "own" | "grpc-js";

type Options = Omit<NonNullable<Parameters<typeof startRpcServer>[1]>, "own"> & {
  /** A plain HTTP answer for everything that is no gRPC: its status and its body. */
  readonly paths?: (method: string, target: string) => { readonly status: number; readonly body: string };
};

export interface Started {
  readonly server: RpcServer;
  readonly client: Client;
  readonly member: FakeMember;
  readonly url: string;
}

/** The same test on both engines. */
export function onBothEngines(name: string, body: (t: TestContext, engine: EngineName) => Promise<void>): void {
  for (const engine of ["own", "grpc-js"] as const) test(`${name} (${engine})`, (t) => body(t, engine));
}

/** A server with a client, both gone when the test is over. */
export async function start(
  t: TestContext,
  engine: EngineName,
  { paths, ...options }: Options = {},
  member: FakeMember = new FakeMember(),
): Promise<Started> {
  const server = await startRpcServer(member, { ...options, ...httpOf(engine, paths) });
  const url = server.urls[0] as string;
  const client = connect(url);
  t.after(async () => {
    client.close();
    await server.stop(0);
  });
  return { server, client, member, url };
}

function httpOf(engine: EngineName, paths: Options["paths"]): Parameters<typeof startRpcServer>[1] {
  if (engine === "grpc-js") {
    if (paths === undefined) return {};
    return {
      http: (request, response) => {
        const { status, body } = paths(request.method ?? "", request.url ?? "");
        response.writeHead(status, { "x-sign": "of life" }).end(body);
      },
    };
  }
  if (paths === undefined) return { own: {} };
  return {
    own: {
      http: async ({ method, target }) => {
        const { status, body } = paths(method, target);
        return { status, body, headers: [["X-Sign", "of life"]] };
      },
    },
  };
}

export function rawSession(t: TestContext, url: string, ca?: string): ClientHttp2Session {
  const session = connectHttp2(url, ca === undefined ? {} : { ca, servername: "localhost" });
  session.on("error", () => undefined);
  t.after(() => session.destroy());
  return session;
}

/** A message as gRPC frames it. */
export function frame(message: Uint8Array, flag = 0): Buffer {
  const framed = Buffer.alloc(5 + message.length);
  framed[0] = flag;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, 5);
  return framed;
}

/** What one call came back with, as it is on the wire. */
export interface RawAnswer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly data: Buffer;
}

/** A call whose body goes out in the pieces given, each in a frame of its own. `end` false: it is not half-closed. */
export function rawCall(
  session: ClientHttp2Session,
  path: string,
  body: Uint8Array | readonly Uint8Array[] = [],
  headers: Readonly<Record<string, string>> = {},
  end = true,
): Promise<RawAnswer> {
  const pieces = body instanceof Uint8Array ? [body] : body;
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    let answer: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    const chunks: Buffer[] = [];
    stream.on("response", (got) => {
      answer = got;
    });
    stream.on("trailers", (got) => {
      trailers = got;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      resolve({ headers: answer, trailers, data: Buffer.concat(chunks) });
      stream.close();
    });
    stream.on("error", reject);
    stream.on("close", () => reject(new Error("closed without an end")));
    for (const piece of pieces) stream.write(piece);
    if (end) stream.end();
  });
}

/** Code and text, wherever they stand. */
export function statusText({ headers, trailers }: RawAnswer): string {
  const from = trailers["grpc-status"] === undefined ? headers : trailers;
  return `${from["grpc-status"]} ${decodeURIComponent(String(from["grpc-message"] ?? ""))}`;
}
