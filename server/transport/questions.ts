/** Asks other members, and answers them: `peer-api.ts` says what, this file carries it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { AssertionFailure } from "../base/assert.ts";
import { EtcdError, WorldError } from "../base/error.ts";
import { memberIdText } from "../base/int64.ts";
import type { Answers, AnswerTable, QuestionKind, Questions } from "../ports/network.ts";
import { BodyTooLong, type Dialer, type PeerResponse, readAnswer, readBody } from "./dial.ts";
import { answerText, answerWrongMethod, CLUSTER_ID_MISMATCH, headerOf, parseId } from "./handshake.ts";
import { textOf } from "./message-codec.ts";
import { BadQuestion, EXCHANGES, type Exchange } from "./peer-api.ts";
import { parsePeerUrl } from "./peer-urls.ts";
import type { Surroundings } from "./surroundings.ts";

/** Questions are small; etcd's bound where it has one. */
const QUESTION_MAX_BYTES = 64 * 1024;
/** A lease may have a great many keys. */
const ANSWER_MAX_BYTES = 256 * 1024 * 1024;

/** Asks at each of `urls` until one answers. */
export async function ask<K extends QuestionKind>(
  world: Pick<Surroundings, "dialer" | "identity" | "timing">,
  urls: readonly string[],
  kind: K,
  question: Questions[K],
  timeoutMs: number,
): Promise<Answers[K]> {
  let failure: unknown = new Error("it has no peer URL");
  for (const url of urls) {
    try {
      return await askAt(world, url, kind, question, timeoutMs);
    } catch (error) {
      if (error instanceof EtcdError) throw error;
      failure = error;
    }
  }
  throw new WorldError(`ask a member at ${urls.join(", ")} for its ${kind}`, failure);
}

async function askAt<K extends QuestionKind>(
  { dialer, identity, timing }: Pick<Surroundings, "dialer" | "identity" | "timing">,
  url: string,
  kind: K,
  question: Questions[K],
  timeoutMs: number,
): Promise<Answers[K]> {
  const exchange: Exchange<K> = EXCHANGES[kind];
  const { suffix = "", headers = {}, body } = exchange.ask(question, identity.clusterId);
  const target = {
    url: parsePeerUrl(url),
    path: exchange.path + suffix,
    method: exchange.method,
    headers: { ...headers, ...(body === undefined ? {} : { "Content-Length": body.length }) },
    body,
    timeoutMs,
    dialMs: Math.min(timeoutMs, timing.dialMs),
  };
  const answer = await exchangeOnce(dialer, target);
  if (answer.status === 200) return exchange.understand(answer, question);
  const text = answer.body.toString().trim();
  const known = exchange.refusals.find((one) => one.status === answer.status && text.includes(one.text));
  if (known !== undefined) throw new EtcdError(known.code);
  throw new Error(`status ${answer.status}: ${text}`);
}

interface Target {
  readonly url: URL;
  readonly path: string;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: Uint8Array | undefined;
  readonly timeoutMs: number;
  readonly dialMs: number;
}

/** One request and its whole answer, within the time. A connection that died unseen is replaced once. */
async function exchangeOnce(dialer: Dialer, target: Target, isAgain = false): Promise<PeerResponse> {
  const { url, path, method, headers, body, timeoutMs, dialMs } = target;
  const request = dialer.open(url, path, { method, headers, idleMs: timeoutMs, dialMs, isShared: !isAgain });
  const timer = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  try {
    request.end(body);
    return await readAnswer(request, ANSWER_MAX_BYTES);
  } catch (error) {
    const wasDead = request.reusedSocket && (error as NodeJS.ErrnoException).code === "ECONNRESET";
    if (!wasDead || isAgain) throw error;
    return await exchangeOnce(dialer, target, true);
  } finally {
    clearTimeout(timer);
  }
}

/** The kind of question that a path asks; undefined: none. */
export function questionKindOf(path: string): QuestionKind | undefined {
  for (const [kind, exchange] of Object.entries(EXCHANGES)) {
    const isIt = exchange.isPrefix === true ? path.startsWith(exchange.path) : path === exchange.path;
    if (isIt) return kind as QuestionKind;
  }
  return undefined;
}

/** Answers one request. Rejects only when our own code broke a promise, which ends the process. */
export async function answer<K extends QuestionKind>(
  kind: K,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  world: Pick<Surroundings, "identity" | "logger" | "timing">,
  answers: AnswerTable,
): Promise<void> {
  const exchange: Exchange<K> = EXCHANGES[kind];
  if (request.method !== exchange.method) {
    answerWrongMethod(response, exchange.method);
    return;
  }
  const clusterId = memberIdText(world.identity.clusterId);
  if (exchange.namesCluster) response.setHeader("X-Etcd-Cluster-ID", clusterId);
  try {
    request.setTimeout(world.timing.readMs, () => request.destroy());
    const bytes = await readBody(request, QUESTION_MAX_BYTES);
    request.setTimeout(0); // an answer may take its time
    if (kind === "hashKv" && isOfAnotherCluster(request, world.identity.clusterId))
      throw new BadQuestion(412, CLUSTER_ID_MISMATCH);
    const question = exchange.read({ path, headers: request.headers, body: bytes });
    const { contentType, body } = exchange.write(await answers[kind](question), question);
    response.writeHead(200, { "Content-Type": contentType, "Content-Length": Buffer.byteLength(body) });
    response.end(body);
  } catch (error) {
    if (error instanceof AssertionFailure) throw error;
    if (response.destroyed) return;
    refuse(exchange, error, response);
    world.logger.debug("refused a question of a member", { path, error: textOf(error) });
  }
}

function isOfAnotherCluster(request: IncomingMessage, clusterId: bigint): boolean {
  const text = headerOf(request.headers, "x-etcd-cluster-id");
  return text !== undefined && parseId(text) !== clusterId;
}

function refuse<K extends QuestionKind>(exchange: Exchange<K>, error: unknown, response: ServerResponse): void {
  const known = error instanceof EtcdError ? exchange.refusals.find(({ code }) => code === error.code) : undefined;
  if (error instanceof BodyTooLong) answerText(response, 413, "request body too large");
  else if (error instanceof BadQuestion) answerText(response, error.status, error.message);
  else if (known !== undefined) answerText(response, known.status, known.text);
  else answerText(response, exchange.otherStatus, textOf(error));
}
