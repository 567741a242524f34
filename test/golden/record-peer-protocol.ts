/**
 * Records what real etcd puts on the wire between members: `node .../test/golden/record-peer-protocol.js PROGRAM FILE`.
 * One member of etcd and one of ours (which has no store) form a cluster, with a proxy before each that keeps every
 * byte. Small samples of what etcd wrote go to FILE as JSON: heads of requests and answers as text, bodies as hex.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer as createHttpServer, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { connect, createServer, type Server } from "node:net";
import { gzipSync } from "node:zlib";
import { memberIdText } from "../../server/base/int64.ts";
import { Message, MessageType } from "../../server/proto/raftpb.ts";
import { PlainDecoder } from "../../server/transport/message-codec.ts";
import { LogOnlyMember } from "../support/log-only-member.ts";
import { askPeer, type PeerAnswer, peerRequests } from "../support/peer-requests.ts";
import { freePorts, ServerProcess } from "../support/server-process.ts";
import { findTool } from "../support/tools.ts";

/** One direction of one connection. */
interface Recording {
  readonly writer: "etcd" | "ours";
  bytes: Buffer;
}

const TOKEN = "golden";
const KEPT_BYTES = 600;

const [program = "etcd", file = "peer-protocol.json"] = process.argv.slice(2);
await main(findTool(program) ?? program, file);

async function main(path: string, target: string): Promise<void> {
  const recordings: Recording[] = [];
  const [etcdUrlPort, oursUrlPort, oursPort] = (await freePorts(3)) as [number, number, number];
  const etcdUrl = `http://127.0.0.1:${etcdUrlPort}`;
  const oursUrl = `http://127.0.0.1:${oursUrlPort}`;
  const flags = ["--name=etcd", `--initial-advertise-peer-urls=${etcdUrl}`, `--initial-cluster-token=${TOKEN}`];
  flags.push(
    `--initial-cluster=etcd=${etcdUrl},ours=${oursUrl}`,
    "--snapshot-count=20",
    "--snapshot-catchup-entries=5",
  );
  const etcd = await ServerProcess.prepare({ command: [path], flags });
  const members = [
    { name: "etcd", peerUrl: etcdUrl },
    { name: "ours", peerUrl: oursUrl },
  ];
  const ours = new LogOnlyMember({
    name: "ours",
    members,
    token: TOKEN,
    serverVersion: "3.7.3",
    listenPort: oursPort,
  });
  const proxies = [
    await proxy(etcdUrlPort, etcd.peerPort, "etcd", recordings),
    await proxy(oursUrlPort, oursPort, "ours", recordings),
  ];
  try {
    const launched = etcd.launch();
    await refuse(oursPort, 2500); // without streams etcd posts its messages one by one
    await ours.connect();
    await launched;
    for (let n = 0; n < 3; n++) await put(etcd, `key ${n}`);
    await new Promise((resolve) => setTimeout(resolve, 3000)); // signs of life on both streams
    const answers = await ask(etcdUrl, ours);
    const version = spawnSync(path, ["--version"]).stdout.toString().split("\n")[0];
    const snapshot = await recordSnapshot(path);
    writeFileSync(target, `${JSON.stringify({ version, ...samples(recordings), snapshot, answers }, undefined, 2)}\n`);
  } finally {
    await ours.disconnect();
    await etcd.remove();
    for (const one of proxies) one.close();
  }
}

/** Passes everything on from `port` to `to`, where `listener` listens, and keeps it. */
function proxy(port: number, to: number, listener: "etcd" | "ours", recordings: Recording[]): Promise<Server> {
  const server = createServer((near) => {
    const far = connect(to, "127.0.0.1");
    const ends = [
      { from: near, into: far, writer: listener === "etcd" ? "ours" : "etcd" },
      { from: far, into: near, writer: listener },
    ] as const;
    for (const { from, into, writer } of ends) {
      const recording: Recording = { writer, bytes: Buffer.alloc(0) };
      recordings.push(recording);
      from.on("data", (bytes: Buffer) => {
        recording.bytes = Buffer.concat([recording.bytes, bytes]);
        into.write(bytes);
      });
      from.on("error", () => into.destroy());
      from.on("close", () => into.destroy());
    }
  });
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(server)));
}

/** For a while whoever asks at `port` is told that there is nothing. */
async function refuse(port: number, forMs: number): Promise<void> {
  const server = createHttpServer((_request, response) => response.writeHead(404).end());
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  await new Promise((resolve) => setTimeout(resolve, forMs));
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

function samples(recordings: readonly Recording[]): object {
  const written = recordings.filter(({ writer }) => writer === "etcd").map(({ bytes }) => split(bytes));
  const requests = written.filter(({ head }) => head.startsWith("GET /raft/stream/"));
  const posts = written.filter(({ head }) => head.startsWith("POST /raft "));
  const streams = written.filter(({ head }) => /^HTTP\/1.1 200/.test(head) && /X-Server-Version/i.test(head));
  const bodies = streams.map(({ body }) => dechunked(body));
  const messages = bodies.filter((body) => body[0] === 0 && isMessageStream(body));
  const appends = bodies.filter((body) => !isMessageStream(body));
  return {
    streamRequests: requests.slice(0, 2).map(({ head }) => head),
    streamAnswer: streams[0]?.head,
    pipelineRequest: posts[0]?.head,
    pipelineBody: posts[0]?.body.subarray(0, KEPT_BYTES).toString("hex"),
    messageStream: frames(Buffer.concat(messages)),
    appendStream: appends.map((body) => body.subarray(0, KEPT_BYTES).toString("hex")),
  };
}

function split(bytes: Buffer): { readonly head: string; readonly body: Buffer } {
  const end = bytes.indexOf("\r\n\r\n");
  return { head: bytes.subarray(0, Math.max(end, 0)).toString("latin1"), body: bytes.subarray(end + 4) };
}

function dechunked(body: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf("\r\n", at);
    const length = Number.parseInt(body.subarray(at, end).toString("latin1"), 16);
    if (!(length > 0)) break;
    pieces.push(body.subarray(end + 2, end + 2 + length));
    at = end + 2 + length + 2;
  }
  return Buffer.concat(pieces);
}

/** Its frames begin with a length below 2^56, those of appends with a type and never with a zero before a long length. */
function isMessageStream(body: Buffer): boolean {
  return body.length >= 8 && body.readUInt32BE(0) === 0 && body.readUInt32BE(4) < 4096 && body.readUInt32BE(4) > 1;
}

/** One frame of each message type, as hex. */
function frames(body: Buffer): Record<string, string> {
  const found: Record<string, string> = {};
  for (let at = 0; at + 8 <= body.length; ) {
    const length = body.readUInt32BE(at + 4);
    const frame = body.subarray(at, at + 8 + length);
    const decoder = new PlainDecoder();
    decoder.push(frame);
    const message = decoder.next() ?? Message.create();
    const isLink = message.type === MessageType.HEARTBEAT && message.to === 0n;
    found[isLink ? "link" : String(message.type)] ??= frame.toString("hex");
    at += 8 + length;
  }
  return found;
}

/** What a leader sends to a learner that has nothing: one played here, which only says that it has nothing. */
async function recordSnapshot(path: string): Promise<object> {
  const flags = ["--snapshot-count=5", "--snapshot-catchup-entries=1"];
  const etcd = await ServerProcess.start({ command: [path], flags });
  const peer = `http://127.0.0.1:${etcd.peerPort}`;
  let taken: (sample: object) => void = () => undefined;
  const sample = new Promise<object>((resolve) => {
    taken = resolve;
  });
  const server = createHttpServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces);
    if (request.method === "GET") response.writeHead(404).end();
    else response.writeHead(204).end();
    if (request.url === "/raft") await sayNothingIsHere(peer, Message.decode(body), request.headers);
    if (request.url === "/raft/snapshot") taken(snapshotSample(request, body));
  });
  const port = await new Promise<number>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port)),
  );
  try {
    for (let n = 0; n < 120; n++) await put(etcd, `key ${n}`);
    const request = JSON.stringify({ peerURLs: [`http://127.0.0.1:${port}`], isLearner: true });
    await fetch(`${etcd.url}/v3/cluster/member/add`, { method: "POST", body: request });
    return await sample;
  } finally {
    await etcd.remove();
    server.closeAllConnections();
    server.close();
  }
}

/** Answers a heartbeat, and an append by saying that nothing is there that it could follow on. */
async function sayNothingIsHere(peer: string, asked: Message, headers: IncomingHttpHeaders): Promise<void> {
  const { to: from, from: to, term, index, context } = asked;
  const answer =
    asked.type === MessageType.APP
      ? Message.create({ type: MessageType.APP_RESP, from, to, term, index, reject: true })
      : Message.create({ type: MessageType.HEARTBEAT_RESP, from, to, term, context });
  await fetch(`${peer}/raft`, {
    method: "POST",
    headers: {
      "X-Server-From": memberIdText(from),
      "X-Server-Version": String(headers["x-server-version"]),
      "X-Etcd-Cluster-ID": String(headers["x-etcd-cluster-id"]),
    },
    body: Message.encode(answer),
  });
}

/** The head in lines, the message before the file, and how the file begins. */
function snapshotSample({ method, url, rawHeaders }: IncomingMessage, body: Buffer): object {
  const lines = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []));
  const fileAt = 8 + body.readUInt32BE(4);
  return {
    head: [`${method} ${url} HTTP/1.1`, ...lines].join("\r\n"),
    messageGzip: gzipSync(body.subarray(0, fileAt), { level: 9 }).toString("base64"), // mostly etcd's empty history
    fileBegins: body.subarray(fileAt, fileAt + 32).toString("hex"),
    fileBytes: body.length - fileAt,
  };
}

/** What etcd answers to questions, and to those who may not ask. */
async function ask(url: string, ours: LogOnlyMember): Promise<Record<string, PeerAnswer>> {
  const answers: Record<string, PeerAnswer> = {};
  const requests = peerRequests({ from: ours.id, clusterId: ours.clusterId });
  for (const [name, request] of Object.entries(requests)) answers[name] = await askPeer(url, request);
  return answers;
}

async function put(server: ServerProcess, key: string): Promise<void> {
  const body = JSON.stringify({ key: Buffer.from(key).toString("base64"), value: "AA==" });
  const response = await fetch(`${server.url}/v3/kv/put`, { method: "POST", body });
  if (!response.ok) throw new Error(await response.text());
}
