/**
 * The HTTP side of failpoints, as gofail has it, in a thread of its own: it answers while the server's loop is held by
 * one of them. What is armed is passed on to the server; an answer waits a moment for that, and no longer, because a loop
 * that is held looks for news itself before it acts again (failpoints.ts).
 *
 *     GET /                  lines NAME=TERMS, also of those that are off
 *     GET /NAME              the terms; 404 when it is off
 *     GET /NAME/count        how often it has acted
 *     PUT /NAME              body: terms; 204, or 400 with a sentence
 *     PUT /failpoints        body: NAME=TERMS;NAME=TERMS
 *     DELETE /NAME           204
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type MessagePort, workerData } from "node:worker_threads";
import { FAILPOINTS, type FailpointName, failpointNamed, RETURNING_FAILPOINTS } from "../base/failpoint.ts";
import { FailpointTerms } from "../base/failpoint-terms.ts";

const BODY_MAX_BYTES = 64 * 1024;
/** How long an answer waits for the server's loop. */
const PASSED_ON_MS = 300;

/** What the thread is given. */
export interface FailpointThreadData {
  readonly host: string;
  readonly port: number;
  readonly server: MessagePort;
  /** At 0: answers under way, which a panic waits for. Then for each failpoint: how often it has acted. */
  readonly shared: Int32Array;
  /** Armed from the start. */
  readonly armed: readonly ArmedFailpoint[];
}

export interface ArmedFailpoint {
  readonly name: FailpointName;
  /** Undefined: it is off. */
  readonly terms: string | undefined;
}

/** To the server. */
export type FailpointNews =
  | { readonly kind: "listening" }
  | { readonly kind: "failed"; readonly error: string }
  | ArmedNews;

interface ArmedNews {
  readonly kind: "armed";
  readonly failpoints: readonly ArmedFailpoint[];
}

/** "NAME=TERMS;NAME=TERMS". Throws an Error that names what cannot be read. */
export function parseFailpoints(text: string): ArmedFailpoint[] {
  return text
    .split(/[;\n]/)
    .filter((part) => part.trim() !== "")
    .map((part) => {
      const at = part.indexOf("=");
      if (at < 0) throw new Error(`"${part.trim()}" is not NAME=TERMS`);
      return checked(part.slice(0, at).trim(), part.slice(at + 1).trim());
    });
}

function checked(name: string, text: string): ArmedFailpoint {
  const known = failpointNamed(name);
  if (known === undefined) throw new Error(`there is no failpoint "${name}": GET / lists them`);
  const terms = FailpointTerms.parse(text);
  if (terms.returns && !RETURNING_FAILPOINTS.includes(known))
    throw new Error(`"${known}" takes no value: return can be asked of ${RETURNING_FAILPOINTS.join(", ")}`);
  return { name: known, terms: terms.text };
}

class FailpointThread {
  readonly #data: FailpointThreadData;
  readonly #terms = new Map<FailpointName, string>();
  #passedOn: (() => void)[] = [];

  constructor(data: FailpointThreadData) {
    this.#data = data;
    for (const { name, terms } of data.armed) if (terms !== undefined) this.#terms.set(name, terms);
    data.server.on("message", () => this.#passedOn.shift()?.());
  }

  listen(): void {
    const { host, port, shared } = this.#data;
    const server = createServer((request, response) => {
      Atomics.add(shared, 0, 1);
      response.once("close", () => {
        Atomics.sub(shared, 0, 1);
        Atomics.notify(shared, 0);
      });
      this.#answer(request, response).catch((error: Error) => end(response, 400, `${error.message}\n`));
    });
    server.once("error", (error) => this.#tell({ kind: "failed", error: error.message }));
    server.listen(port, host, () => this.#tell({ kind: "listening" }));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = decodeURIComponent((request.url ?? "/").slice(1));
    switch (request.method) {
      case "GET":
        this.#show(path, response);
        return;
      case "PUT": {
        const body = await bodyOf(request);
        await this.#arm(path === "failpoints" ? parseFailpoints(body) : [checked(path, body)]);
        end(response, 204);
        return;
      }
      case "DELETE": {
        const name = failpointNamed(path);
        if (name === undefined) throw new Error(`there is no failpoint "${path}": GET / lists them`);
        await this.#arm([{ name, terms: undefined }]);
        end(response, 204);
        return;
      }
      default:
        end(response, 405, "GET, PUT or DELETE\n", { Allow: "GET, PUT, DELETE" });
    }
  }

  #show(path: string, response: ServerResponse): void {
    if (path === "") {
      const lines = [...FAILPOINTS].sort().map((name) => `${name}=${this.#terms.get(name) ?? ""}\n`);
      end(response, 200, lines.join(""));
      return;
    }
    const counted = path.endsWith("/count");
    const name = failpointNamed(counted ? path.slice(0, -"/count".length) : path);
    if (name === undefined) end(response, 404, `there is no failpoint "${path}": GET / lists them\n`);
    else if (counted) end(response, 200, `${Atomics.load(this.#data.shared, 1 + FAILPOINTS.indexOf(name))}\n`);
    else if (this.#terms.has(name)) end(response, 200, `${this.#terms.get(name)}\n`);
    else end(response, 404, `"${name}" is off\n`);
  }

  async #arm(failpoints: readonly ArmedFailpoint[]): Promise<void> {
    for (const { name, terms } of failpoints) {
      if (terms === undefined) this.#terms.delete(name);
      else this.#terms.set(name, terms);
    }
    const passedOn = new Promise<void>((resolve) => {
      this.#passedOn.push(resolve);
      setTimeout(resolve, PASSED_ON_MS);
    });
    this.#tell({ kind: "armed", failpoints });
    await passedOn;
  }

  #tell(news: FailpointNews): void {
    this.#data.server.postMessage(news);
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > BODY_MAX_BYTES) throw new Error(`a body has at most ${BODY_MAX_BYTES} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

function end(response: ServerResponse, status: number, text = "", headers: Record<string, string> = {}): void {
  response.writeHead(status, { Connection: "close", ...headers });
  response.end(text);
}

/** Imported for its types and its parser by the server, it does nothing; as a thread, what it is given is its own. */
const given = workerData as { readonly failpointThread?: FailpointThreadData } | null;
if (given?.failpointThread !== undefined) new FailpointThread(given.failpointThread).listen();
