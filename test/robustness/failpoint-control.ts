/** Drives the failpoints of one server over HTTP, as any tool that knows etcd's would. */
import { setTimeout as sleep } from "node:timers/promises";
import type { FailpointName } from "../../server/base/failpoint.ts";
import type { ServerProcess } from "../support/server-process.ts";

const LOOK_AGAIN_MS = 10;
/** Until a place is reached, or the process has ended there: where processors are scarce a start alone takes ten seconds. */
const PATIENCE_MS = 60_000;
/** Go's exit code of a panic. */
const PANIC_EXIT_CODE = 2;

export class FailpointControl {
  /** The environment of the server, read at each start: what is added to it counts from the next one on. */
  readonly env: Record<string, string>;
  readonly #url: string;

  constructor(port: number) {
    this.env = { GOFAIL_HTTP: `127.0.0.1:${port}` };
    this.#url = `http://127.0.0.1:${port}`;
  }

  async arm(name: FailpointName, terms: string): Promise<void> {
    await this.#call("PUT", name, 204, terms);
  }

  async disarm(name: FailpointName): Promise<void> {
    await this.#call("DELETE", name, 204);
  }

  /** How often it has acted since the process began. */
  async count(name: FailpointName): Promise<number> {
    return Number(await this.#call("GET", `${name}/count`, 200));
  }

  /** All names, with what is armed. */
  async list(): Promise<Map<string, string>> {
    const lines = (await this.#call("GET", "", 200)).trimEnd().split("\n");
    return new Map(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
  }

  /** Resolves when it has acted so often. */
  async acted(name: FailpointName, times: number): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    for (let seen = await this.count(name); seen < times; seen = await this.count(name)) {
      if (performance.now() > deadline) throw new Error(`"${name}" has acted ${seen} times, not ${times}`);
      await sleep(LOOK_AGAIN_MS);
    }
  }

  /** Resolves when it listens, which a server that was only just started does not do yet. */
  async listening(): Promise<void> {
    for (const deadline = performance.now() + PATIENCE_MS; ; await sleep(LOOK_AGAIN_MS)) {
      try {
        return void (await this.list());
      } catch (error) {
        if (performance.now() > deadline) throw error;
      }
    }
  }

  async #call(method: string, path: string, status: number, body?: string): Promise<string> {
    const response = await fetch(`${this.#url}/${path}`, { method, ...(body === undefined ? {} : { body }) });
    const text = await response.text();
    if (response.status !== status) throw new Error(`${method} /${path} answered ${response.status}: ${text}`);
    return text;
  }
}

/** Resolves when the server has panicked at that place. Throws when it ends otherwise, or does not. */
export async function panicked(server: ServerProcess, name: FailpointName): Promise<void> {
  const late = new AbortController();
  const ended = await Promise.race([
    server.exited,
    sleep(PATIENCE_MS, undefined, { signal: late.signal }).catch(() => undefined),
  ]);
  late.abort();
  if (ended === undefined) throw new Error(`not within ${PATIENCE_MS / 1000} s: the server comes to "${name}"`);
  const line = server.log.includes(`failpoint panic: ${name}`);
  // Where the thread stood inside a callback of Node's own, Node may abort while it takes the thread down: as dead.
  const isDead = ended.code === PANIC_EXIT_CODE || ended.signal === "SIGABRT";
  if (!isDead || !line)
    throw new Error(`at "${name}" the server ended with ${ended.code ?? ended.signal}, its line is ${line}`);
}
