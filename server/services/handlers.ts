/** The services of `proto/services.ts` as the compiler wants them implemented: one handler a method, of its kind. */
import type { Method, MethodKind, SERVICES, ServiceDefinition } from "../proto/services.ts";
import type { BidiHandler, ServerStreamHandler, UnaryHandler } from "./call.ts";

interface HandlerKinds<Request, Response> {
  readonly unary: UnaryHandler<Request, Response>;
  readonly serverStream: ServerStreamHandler<Request, Response>;
  /** No service has one. */
  readonly clientStream: never;
  readonly bidi: BidiHandler<Request, Response>;
}

export type HandlerOf<M> =
  M extends Method<infer Kind extends MethodKind, infer Request, infer Response>
    ? HandlerKinds<Request, Response>[Kind]
    : never;

/** What a class that implements the service has to offer. */
export type HandlersOf<S extends ServiceDefinition> = {
  readonly [Name in keyof S["methods"]]: HandlerOf<S["methods"][Name]>;
};

type Definitions = typeof SERVICES;

/** All services of the client port. */
export type AllServices = { readonly [Name in keyof Definitions]: HandlersOf<Definitions[Name]> };

/** Those that mean something without an engine: health belongs to `rpc/`. */
export type Services = Omit<AllServices, "health">;
