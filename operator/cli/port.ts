/**
 * The operator's one port, plain HTTP: /healthz says that the process turns, /readyz that it could act (one that stands by
 * could, too), /metrics what it counts.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

export interface PortParts {
  isReady(): boolean;
  metrics(): Promise<{ readonly contentType: string; readonly body: string }>;
}

const TEXT = "text/plain; charset=utf-8";
/** Nobody asks for long, and nobody sends a body. */
const REQUEST_MS = 10_000;
const MAX_CONNECTIONS = 100;

export class Port {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Resolves when it listens. Rejects when the address cannot be had. */
  static async open({ host, port }: { host: string | undefined; port: number }, parts: PortParts): Promise<Port> {
    const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, (request, response) => {
      void answer(request, response, parts);
    });
    server.maxConnections = MAX_CONNECTIONS;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, resolve);
    });
    return new Port(server);
  }

  /** The port that was got, where 0 was asked for. */
  get number(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, parts: PortParts): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") return say(response, 405, "only GET\n");
  const path = request.url?.split("?")[0];
  if (path === "/healthz") return say(response, 200, "ok\n");
  if (path === "/readyz")
    return parts.isReady() ? say(response, 200, "ok\n") : say(response, 503, "the caches are not filled yet\n");
  if (path !== "/metrics") return say(response, 404, "there are /healthz, /readyz and /metrics\n");
  try {
    const { contentType, body } = await parts.metrics();
    say(response, 200, body, contentType);
  } catch (error) {
    say(response, 500, `${(error as Error).message}\n`);
  }
}

function say(response: ServerResponse, status: number, text: string, contentType = TEXT): void {
  response.writeHead(status, { "content-type": contentType }).end(text);
}
