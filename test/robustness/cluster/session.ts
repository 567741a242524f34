/** One client's connection to one member at a time: no retries, and after a failure another member or a new connection. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Prng } from "../../../server/base/prng.ts";
import { type CallStatus, type Client, connect } from "../../../server/client/client.ts";
import type { RequestOpUnion, ResponseHeader, ResponseOpUnion } from "../../../server/proto/etcdserverpb.ts";
import { type Method, SERVICES } from "../../../server/proto/services.ts";
import type { Request, Result } from "../../checkers/history.ts";
import { requestOf, resultOf } from "../../checkers/messages.ts";
import type { End, Recorder } from "./recorder.ts";

const { kv } = SERVICES;
/** A call that takes longer is given up; longer than it takes to elect a leader. */
const PATIENCE_MS = 2000;
const REST_MS = 60;
/** Now and then a client goes to another member without a reason. */
const MOVE_SHARE = 0.02;

/** What all clients of one run share. */
export interface Field {
  readonly recorder: Recorder;
  /** URLs of the members that could be asked now. */
  endpoints(): readonly string[];
  /** Whether the load has been stopped for good. */
  readonly isOver: boolean;
  /** Resolves when clients may call: at once, but for the moments in which the members are compared. */
  enter(): Promise<void>;
  leave(): void;
}

export class Session {
  readonly name: string;
  readonly field: Field;
  readonly random: Prng;
  #client: Client | undefined;

  constructor(name: string, field: Field, random: Prng) {
    this.name = name;
    this.field = field;
    this.random = random;
  }

  /** One call of the key-value service, recorded. */
  async keys(operation: RequestOpUnion): Promise<{ end: End; response: ResponseOpUnion | undefined }> {
    let response: ResponseOpUnion | undefined;
    const method = {
      put: kv.methods.put,
      range: kv.methods.range,
      deleteRange: kv.methods.deleteRange,
      txn: kv.methods.txn,
    };
    const end = await this.ask(
      requestOf(operation),
      method[operation.kind] as Method<"unary", object, { header: ResponseHeader | undefined }>,
      operation.value,
      (answer) => {
        response = { kind: operation.kind, value: answer } as ResponseOpUnion;
        return resultOf(response);
      },
    );
    return { end, response };
  }

  /** One call, recorded as `request`. */
  ask<Req extends object, Res extends { header: ResponseHeader | undefined }>(
    request: Request,
    method: Method<"unary", Req, Res>,
    message: Partial<Req>,
    understand: (answer: Res) => Result,
  ): Promise<End> {
    return this.record(request, async (client) => {
      const { response, status } = await client.call(method, message, { timeoutMs: PATIENCE_MS });
      if (response === undefined) return status;
      return { kind: "done", revision: response.header?.revision ?? 0, result: understand(response) };
    });
  }

  /** Does what `call` does with a connection, and records how it ended. */
  async record(request: Request, call: (client: Client) => Promise<End | CallStatus>): Promise<End> {
    const { field, random } = this;
    await field.enter();
    const { recorder } = field;
    if (random.chance(MOVE_SHARE)) this.close();
    this.#client ??= connect(random.pick(field.endpoints()));
    const calledMs = recorder.nowMs;
    let end: End;
    try {
      const ended = await call(this.#client);
      end = "code" in ended ? recorder.failed(ended) : ended;
      recorder.note(this.name, request, calledMs, end);
    } finally {
      field.leave();
    }
    if (end.kind === "open" || end.kind === "never sent") {
      this.close();
      await sleep(REST_MS + random.below(REST_MS));
    }
    return end;
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }
}
