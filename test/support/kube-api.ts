/** Plain calls to an API server of Kubernetes, JSON in and out, for tests that want to see its very answers. */
import { type RequestOptions, request } from "node:https";
import type { KubeConfig } from "@kubernetes/client-node";

const TIMEOUT_MS = 60_000;

export interface Answer {
  readonly status: number;
  /** The object, or the API server's Status; text where it is no JSON. */
  readonly body: unknown;
}

export class KubeApi {
  readonly #config: KubeConfig;

  constructor(config: KubeConfig) {
    this.#config = config;
  }

  /** `path` with its query, such as `/api/v1/namespaces?dryRun=All`. Rejects only when no answer comes. */
  async call(
    method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
    path: string,
    object?: unknown,
    accept = "application/json",
    contentType = "application/json",
  ): Promise<Answer> {
    const cluster = this.#config.getCurrentCluster();
    if (cluster === null) throw new Error("the kubeconfig has no current cluster");
    const body = object === undefined ? "" : JSON.stringify(object);
    // The length is said here: to a DELETE Node adds none, and its body would be taken for the next call.
    const headers = { accept, "content-type": contentType, "content-length": Buffer.byteLength(body) };
    const options: RequestOptions = { method, timeout: TIMEOUT_MS, headers };
    await this.#config.applyToHTTPSOptions(options);
    // Node's own agent keeps connections; the one given here would make a new one for every call.
    if (cluster.proxyUrl === undefined) delete options.agent;
    const url = new URL(cluster.server.replace(/\/$/, "") + path);
    const text = await exchange(url, options, body);
    return { status: text.status, body: asJson(text.body) };
  }
}

function exchange(url: URL, options: RequestOptions, body: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request(url, options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
      });
      response.once("error", reject);
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    call.once("timeout", () => call.destroy(new Error(`${url.pathname}: no answer within ${TIMEOUT_MS} ms`)));
    call.once("error", reject);
    call.end(body);
  });
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
