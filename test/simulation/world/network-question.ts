/**
 * Questions between members of a simulated network. Both sides are written and read as on the real one, by the same
 * table; only what carries them is simulated. Asked once, answered at most once.
 */
import { AssertionFailure } from "../../../server/base/assert.ts";
import { EtcdError, WorldError } from "../../../server/base/error.ts";
import { memberIdText } from "../../../server/base/int64.ts";
import type { Answers, AnswerTable, QuestionKind, Questions } from "../../../server/ports/network.ts";
import { CLUSTER_ID_MISMATCH, parseId } from "../../../server/transport/handshake.ts";
import { type Asked, BadQuestion, EXCHANGES, type Exchange } from "../../../server/transport/peer-api.ts";
import { type Station, type Wires, wayOf } from "./network-wires.ts";

/** What comes back. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** An end that answers. */
export interface AnswerStation extends Station {
  reply<K extends QuestionKind>(kind: K, asked: Asked): Promise<Reply>;
}

/** The one who asks. */
export interface Asker {
  readonly id: bigint;
  readonly clusterId: bigint;
  readonly isClosed: boolean;
  readonly isCrashed: boolean;
  /** Questions under way, by what ends them. */
  readonly questions: Set<(error: Error) => void>;
}

const toUtf8 = new TextEncoder();

/** Asks at each of `urls` until one answers. */
export async function askInTurn<K extends QuestionKind>(
  wires: Wires,
  asker: Asker,
  urls: readonly string[],
  kind: K,
  question: Questions[K],
  timeoutMs: number,
): Promise<Answers[K]> {
  const exchange: Exchange<K> = EXCHANGES[kind];
  const { suffix = "", headers = {}, body = new Uint8Array() } = exchange.ask(question, asker.clusterId);
  const asked: Asked = { path: exchange.path + suffix, headers: lowerCase(headers), body };
  let failure: unknown = new Error("it has no peer URL");
  for (const url of urls) {
    try {
      const reply = await exchangeOnce(wires, asker, url, kind, asked, timeoutMs);
      return understand(exchange, reply, question);
    } catch (error) {
      if (error instanceof EtcdError) throw error;
      failure = error;
    }
  }
  throw new WorldError(`ask a member at ${urls.join(", ")} for its ${kind}`, failure);
}

/** What a member of `clusterId` answers. Rejects only when our own code broke a promise. */
export async function replyTo<K extends QuestionKind>(
  kind: K,
  asked: Asked,
  clusterId: bigint,
  answers: AnswerTable,
): Promise<Reply> {
  const exchange: Exchange<K> = EXCHANGES[kind];
  const headers = exchange.namesCluster ? { "x-etcd-cluster-id": memberIdText(clusterId) } : {};
  try {
    if (kind === "hashKv" && isOfAnotherCluster(asked, clusterId)) throw new BadQuestion(412, CLUSTER_ID_MISMATCH);
    const question = exchange.read(asked);
    const { body } = exchange.write(await answers[kind](question), question);
    return { status: 200, headers, body: typeof body === "string" ? toUtf8.encode(body) : body };
  } catch (error) {
    if (error instanceof AssertionFailure) throw error;
    return { headers, ...refusalOf(exchange, error) };
  }
}

function isOfAnotherCluster({ headers }: Asked, clusterId: bigint): boolean {
  const text = headers["x-etcd-cluster-id"];
  return typeof text === "string" && parseId(text) !== clusterId;
}

function refusalOf<K extends QuestionKind>(exchange: Exchange<K>, error: unknown): Pick<Reply, "status" | "body"> {
  const known = error instanceof EtcdError ? exchange.refusals.find(({ code }) => code === error.code) : undefined;
  if (known !== undefined) return { status: known.status, body: toUtf8.encode(known.text) };
  const status = error instanceof BadQuestion ? error.status : exchange.otherStatus;
  return { status, body: toUtf8.encode(error instanceof Error ? error.message : String(error)) };
}

function understand<K extends QuestionKind>(exchange: Exchange<K>, reply: Reply, question: Questions[K]): Answers[K] {
  if (reply.status === 200) return exchange.understand(reply, question);
  const text = new TextDecoder().decode(reply.body);
  const known = exchange.refusals.find((one) => one.status === reply.status && text.includes(one.text));
  if (known !== undefined) throw new EtcdError(known.code);
  throw new Error(`status ${reply.status}: ${text}`);
}

/** One question and its reply. A process that died waits for ever, as nobody is there to be told. */
function exchangeOnce<K extends QuestionKind>(
  wires: Wires,
  asker: Asker,
  url: string,
  kind: K,
  asked: Asked,
  timeoutMs: number,
): Promise<Reply> {
  if (asker.isClosed) return Promise.reject(new Error("this member stops"));
  return new Promise((resolve, reject) => {
    const finish = (act: () => void) => {
      if (!asker.questions.delete(fail)) return;
      timer.cancel();
      if (!asker.isCrashed) act();
    };
    const fail = (error: Error) => finish(() => reject(error));
    asker.questions.add(fail);
    const timer = wires.clock.after(timeoutMs, () => fail(new Error(`no answer within ${timeoutMs} ms`)));
    const target = wires.listenerAt([url]) as AnswerStation | undefined;
    if (target === undefined) wires.clock.after(1, () => fail(new Error(`connect to ${url}: refused`)));
    else carryQuestion(wires, asker.id, target, kind, asked, (reply) => finish(() => resolve(reply)));
  });
}

/** There and back; silence when either is lost. */
function carryQuestion<K extends QuestionKind>(
  wires: Wires,
  from: bigint,
  target: AnswerStation,
  kind: K,
  asked: Asked,
  answered: (reply: Reply) => void,
): void {
  travel(wires, from, target.id, `question ${kind}`, () => {
    if (!target.isListening) return;
    void target.reply(kind, asked).then((reply) => {
      if (target.isListening) travel(wires, target.id, from, `answer ${reply.status} ${kind}`, () => answered(reply));
    });
  });
}

function travel(wires: Wires, from: bigint, to: bigint, what: string, arrive: () => void): void {
  const isLost = wires.random.chance(wires.faultsOf(from, to).questionLossShare);
  wires.after(from, to, () => {
    const passes = !isLost && wires.passes(from, to);
    wires.note(`${wayOf(from, to)} ${what} ${passes ? "arrives" : "lost"}`);
    if (passes) arrive();
  });
}

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
