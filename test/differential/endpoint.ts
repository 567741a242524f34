/** One server under comparison: the calls of the test as status and decoded answer, nothing thrown. */
import { type CallStatus, type Client, connect } from "../../server/client/client.ts";
import { SERVICES } from "../../server/proto/services.ts";
import type { Request } from "./generator.ts";

/** What came back, in full. `messages` has one for a unary call that succeeded and all of them for a stream. */
export interface Answer {
  readonly code: number;
  readonly text: string;
  readonly trailers: readonly string[];
  readonly messages: readonly object[];
}

const { kv, lease, maintenance } = SERVICES;

export class Endpoint {
  readonly name: string;
  readonly client: Client;

  constructor(name: string, url: string) {
    this.name = name;
    this.client = connect(url);
  }

  async call(request: Request): Promise<Answer> {
    if (request.method === "rangeStream") {
      const stream = this.client.serverStream(kv.methods.rangeStream, request.message);
      const messages = await stream.all();
      return answer(await stream.status, messages);
    }
    const { response, status } = await this.#unary(request);
    return answer(status, response === undefined ? [] : [response]);
  }

  #unary(
    request: Exclude<Request, { method: "rangeStream" }>,
  ): Promise<{ response: object | undefined; status: CallStatus }> {
    switch (request.method) {
      case "range":
        return this.client.call(kv.methods.range, request.message);
      case "put":
        return this.client.call(kv.methods.put, request.message);
      case "deleteRange":
        return this.client.call(kv.methods.deleteRange, request.message);
      case "txn":
        return this.client.call(kv.methods.txn, request.message);
      case "compact":
        return this.client.call(kv.methods.compact, request.message);
      case "leaseGrant":
        return this.client.call(lease.methods.leaseGrant, request.message);
      case "leaseRevoke":
        return this.client.call(lease.methods.leaseRevoke, request.message);
      case "leaseTimeToLive":
        return this.client.call(lease.methods.leaseTimeToLive, request.message);
      case "leaseLeases":
        return this.client.call(lease.methods.leaseLeases, request.message);
      case "hashKv":
        return this.client.call(maintenance.methods.hashKv, request.message);
    }
  }

  close(): void {
    this.client.close();
  }
}

/** The engine's own: which gRPC library wrote them, and when. */
const ENGINE_HEADERS = new Set(["content-type", "date"]);

function answer({ code, text, trailers }: CallStatus, messages: readonly object[]): Answer {
  const named = Object.entries(trailers.getMap()).filter(([name]) => !ENGINE_HEADERS.has(name));
  return { code, text, messages, trailers: named.map(([name, value]) => `${name}: ${value}`) };
}
