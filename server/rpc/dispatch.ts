/**
 * From a path and bytes to a service and back: what every gRPC engine does with a call once it has one, and so is
 * written once. An engine brings a `Wire` for each call and tells the `Running` call what comes over it.
 *
 *   engine ── begin(path, facts, wire) ──► Running
 *          ── message, halfClose, drained, peerGone, refuse ──►
 *          ◄── read, send, finish ── Wire
 */
import { assert } from "../base/assert.ts";
import { EtcdError } from "../base/error.ts";
import { type AnyMethod, SERVICES } from "../proto/services.ts";
import type { BidiHandler, ServerStreamHandler, UnaryHandler } from "../services/call.ts";
import type { AllServices } from "../services/handlers.ts";
import type { CallFacts } from "./call-facts.ts";
import { CallList } from "./call-list.ts";
import type { GateFacts, RpcMethod, RpcMetrics, UnaryObserver } from "./interceptors.ts";
import { LeaderWatch } from "./leader-watch.ts";
import type { CallContext, CountedMethod, Running, RunningCall, Wire } from "./running-call.ts";
import { GrpcCode, type Status, statusOf } from "./status.ts";
import { BidiCall, ServerStreamCall } from "./stream-calls.ts";
import { UnaryCall } from "./unary-call.ts";

export interface DispatcherOptions {
  readonly services: AllServices;
  /** The member. */
  readonly facts: GateFacts;
  readonly metrics: RpcMetrics;
  /** Hears of slow unary calls. */
  readonly observer?: UnaryObserver | undefined;
  readonly electionMs: number;
  /** The clock that `Call.deadlineMs` is in. */
  readonly monotonicMs: () => number;
  /** Something other than a refusal came out of a handler: our own mistake. */
  readonly broken: (error: unknown) => void;
}

/** What opens a call of one method. */
interface Route {
  readonly method: RpcMethod;
  open(facts: CallFacts, wire: Wire): RunningCall;
}

export class Dispatcher {
  readonly #routes = new Map<string, Route>();
  readonly #running = new CallList<RunningCall>();
  readonly #leaderWatch: LeaderWatch;
  #stopping = false;
  #idle: (() => void) | undefined;

  constructor(options: DispatcherOptions) {
    this.#leaderWatch = new LeaderWatch(options.facts, options.electionMs);
    const context: CallContext = {
      facts: options.facts,
      metrics: options.metrics,
      observer: options.observer,
      leaderWatch: this.#leaderWatch,
      monotonicMs: options.monotonicMs,
      broken: options.broken,
      ended: (call) => this.#ended(call),
    };
    for (const [name, definition] of Object.entries(SERVICES)) {
      const implementation = options.services[name as keyof AllServices] as unknown as Record<string, unknown>;
      for (const [key, method] of Object.entries<AnyMethod>(definition.methods)) {
        const handler = implementation[key];
        assert(typeof handler === "function", `${method.path} has a handler`);
        const counted = { ...method, service: definition.name };
        const counters = options.metrics.counters(counted);
        this.#routes.set(method.path, routeOf(context, { method: counted, counters }, handler.bind(implementation)));
      }
    }
  }

  /** Calls under way. */
  get size(): number {
    return this.#running.size;
  }

  /** Whether a path is that of a method. */
  serves(path: string): boolean {
    return this.#routes.has(path);
  }

  /** A call has come. It may be over when this returns. */
  begin(path: string, facts: CallFacts, wire: Wire): Running {
    const route = this.#routes.get(path);
    if (route === undefined) return refused(wire, { grpc: GrpcCode.UNIMPLEMENTED, text: unknownPathText(path) });
    if (this.#stopping) return refused(wire, statusOf(new EtcdError("Stopped")));
    if (facts.refusal !== undefined) return refused(wire, statusOf(facts.refusal));
    const call = route.open(facts, wire);
    this.#running.add(call);
    call.begin();
    return call;
  }

  /**
   * Takes no new calls, ends streams at once (upon "server stopped" clients go to another member), and lets unary calls
   * finish for at most `graceMs`.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    for (const call of this.#running.list()) if (call.method.kind !== "unary") call.abort(new EtcdError("Stopped"));
    if (this.#running.size > 0) await this.#untilIdle(graceMs);
    for (const call of this.#running.list()) call.abort(new EtcdError("Stopped"));
    this.#leaderWatch.stop();
  }

  #untilIdle(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.#idle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #ended(call: RunningCall): void {
    this.#running.delete(call);
    if (this.#running.size === 0) this.#idle?.();
  }
}

function routeOf(context: CallContext, counted: CountedMethod, handler: unknown): Route {
  const { method } = counted;
  switch (method.kind) {
    case "unary": {
      const unary = handler as UnaryHandler<unknown, unknown>;
      return { method, open: (facts, wire) => new UnaryCall(context, counted, facts, wire, unary) };
    }
    case "serverStream": {
      const stream = handler as ServerStreamHandler<unknown, unknown>;
      return { method, open: (facts, wire) => new ServerStreamCall(context, counted, facts, wire, stream) };
    }
    case "bidi": {
      const bidi = handler as BidiHandler<unknown, unknown>;
      return { method, open: (facts, wire) => new BidiCall(context, counted, facts, wire, bidi) };
    }
    case "clientStream":
      throw new TypeError(`${method.path} is a client stream, which nothing here serves`);
  }
}

/** grpc-go's words for a path that leads nowhere. */
function unknownPathText(path: string): string {
  const rest = path.startsWith("/") ? path.slice(1) : path;
  const slash = rest.lastIndexOf("/");
  if (slash < 0) return `malformed method name: ${JSON.stringify(path)}`;
  const service = rest.slice(0, slash);
  const known = Object.values(SERVICES).some(({ name }) => name === service);
  return known ? `unknown method ${rest.slice(slash + 1)} for service ${service}` : `unknown service ${service}`;
}

/** A call that is over before it began. */
function refused(wire: Wire, status: Status): Running {
  wire.finish(status);
  const nothing = () => undefined;
  return {
    message: nothing,
    halfClose: nothing,
    cutShort: nothing,
    drained: nothing,
    peerGone: nothing,
    refuse: nothing,
  };
}
