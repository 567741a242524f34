/**
 * Failpoints of this process, when its environment asks for them, under gofail's names:
 *
 *     GOFAIL_HTTP=127.0.0.1:22381                    they can be armed by HTTP (failpoint-thread.ts)
 *     GOFAIL_FAILPOINTS='beforeCommit=3*sleep(10)'   armed from the start
 *
 * A panic ends the process as Go's does: a line on standard error, exit code 2, and nothing of ours runs any more. A
 * sleep at a place on the event loop holds it; at a place that is waited for, only what waits.
 */
import { writeSync } from "node:fs";
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { WorldError } from "../base/error.ts";
import { FAILPOINTS, type FailpointActions, type FailpointName, setFailpointActions } from "../base/failpoint.ts";
import { type FailpointAct, FailpointTerms } from "../base/failpoint-terms.ts";
import type { Logger } from "../ports/logger.ts";
import {
  type ArmedFailpoint,
  type FailpointNews,
  type FailpointThreadData,
  parseFailpoints,
} from "./failpoint-thread.ts";
import { endProcessAtOnce } from "./process-end.ts";

/** Go's, of a program that has panicked. */
const PANIC_EXIT_CODE = 2;
/** How long a panic waits for answers that are under way to whoever asked for it: a thread may wait for a processor. */
const ANSWERS_MS = 2000;

/**
 * Arms what the environment says and listens where it says; resolves when it does, at once when it says nothing. Throws
 * `WorldError`.
 */
export async function startFailpoints(env: NodeJS.ProcessEnv, logger: Logger): Promise<void> {
  const { GOFAIL_HTTP: address, GOFAIL_FAILPOINTS: texts } = env;
  if (address === undefined && texts === undefined) return;
  const table = new FailpointTable(logger);
  const armed = reading(`GOFAIL_FAILPOINTS=${texts ?? ""}`, () => parseFailpoints(texts ?? ""));
  table.arm(armed);
  if (address !== undefined) await table.listen(address, armed);
  const fields = { address: address ?? "none", armed: texts ?? "none" };
  logger.warn("failpoints are on: this process can be told to fail, never run it so for data that matters", fields);
}

class FailpointTable implements FailpointActions {
  readonly #logger: Logger;
  readonly #terms = new Map<FailpointName, FailpointTerms>();
  readonly #shared = new Int32Array(new SharedArrayBuffer(4 * (1 + FAILPOINTS.length)));
  readonly #never = new Int32Array(new SharedArrayBuffer(4));
  #port: MessagePort | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  arm(failpoints: readonly ArmedFailpoint[]): void {
    for (const { name, terms } of failpoints) {
      if (terms === undefined) this.#terms.delete(name);
      else this.#terms.set(name, FailpointTerms.parse(terms));
    }
    setFailpointActions(this.#terms.size === 0 ? undefined : this);
  }

  listen(address: string, armed: readonly ArmedFailpoint[]): Promise<void> {
    const { host, port } = reading(`GOFAIL_HTTP=${address}`, () => hostAndPort(address));
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const data: FailpointThreadData = { host, port, server: port2, shared: this.#shared, armed };
    const thread = new Worker(new URL("./failpoint-thread.js", import.meta.url), {
      workerData: { failpointThread: data },
      transferList: [port2],
    });
    return new Promise((resolve, reject) => {
      const failed = (error: unknown) => reject(new WorldError(`serve failpoints at GOFAIL_HTTP=${address}`, error));
      thread.once("error", failed);
      port1.on("message", (news: FailpointNews) => {
        if (news.kind === "armed") this.#take(news.failpoints);
        else if (news.kind === "failed") failed(news.error);
        else {
          thread.unref(); // a process that has nothing else to do ends
          port1.unref();
          resolve();
        }
      });
    });
  }

  hold(name: FailpointName): string | undefined {
    const act = this.#act(name);
    if (act?.kind === "sleep") Atomics.wait(this.#never, 0, 0, act.ms);
    return act?.kind === "return" ? act.value : undefined;
  }

  async beside(name: FailpointName): Promise<string | undefined> {
    const act = this.#act(name);
    if (act?.kind === "sleep") await new Promise((resolve) => setTimeout(resolve, act.ms));
    return act?.kind === "return" ? act.value : undefined;
  }

  /** What there is to do; what was armed or put off while the loop was held counts already. */
  #act(name: FailpointName): FailpointAct | undefined {
    this.#readNews();
    const act = this.#terms.get(name)?.next(Math.random);
    if (act === undefined) return undefined;
    Atomics.add(this.#shared, 1 + FAILPOINTS.indexOf(name), 1);
    if (act.kind === "panic") this.#panic(name);
    if (act.kind === "print") this.#logger.info("failpoint print", { failpoint: name });
    return act;
  }

  #readNews(): void {
    if (this.#port === undefined) return;
    for (;;) {
      const news = receiveMessageOnPort(this.#port) as { message: FailpointNews } | undefined;
      if (news === undefined) return;
      if (news.message.kind === "armed") this.#take(news.message.failpoints);
    }
  }

  #take(failpoints: readonly ArmedFailpoint[]): void {
    this.arm(failpoints);
    this.#port?.postMessage("taken");
  }

  #panic(name: FailpointName): never {
    const line = { level: "panic", ts: new Date().toISOString(), caller: "system/failpoints.ts", failpoint: name };
    try {
      writeSync(2, `${JSON.stringify({ ...line, msg: `failpoint panic: ${name}` })}\n`);
    } catch {
      // Nobody reads it, or nobody now.
    }
    const answering = Atomics.load(this.#shared, 0);
    if (answering > 0) Atomics.wait(this.#shared, 0, answering, ANSWERS_MS);
    return endProcessAtOnce(PANIC_EXIT_CODE);
  }
}

function reading<T>(setting: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new WorldError(`read ${setting}`, error);
  }
}

function hostAndPort(address: string): { host: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:\[(.+)\]|([^:]*)):(\d+)$/.exec(address) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65535) throw new Error("it is not HOST:PORT, as 127.0.0.1:22381");
  return { host: bracketed ?? (plain || "127.0.0.1"), port };
}
