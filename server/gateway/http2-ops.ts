/** The paths of ops.ts over our own HTTP/2 engine: the checks are those of HTTP/1, the answer is the same. */
import { type Access, checkHost, corsHeaders, targetOf } from "./access.ts";
import { handleOps, type OpsAnswer, type OpsFacts, type OpsPlace } from "./ops.ts";

/** A request as the engine hands it over. */
export interface Http2Request {
  readonly method: string;
  /** As it came, with the query. */
  readonly target: string;
  readonly host: string;
  readonly secure: boolean;
  header(name: string): string | undefined;
}

export interface Http2Options {
  readonly facts: OpsFacts;
  readonly place: OpsPlace;
  readonly access?: Access;
}

export function http2Ops({ facts, place, access }: Http2Options): (request: Http2Request) => Promise<OpsAnswer> {
  const answer = async (request: Http2Request): Promise<OpsAnswer> => {
    const { method, secure } = request;
    const target = targetOf(request.target);
    if (target === undefined) return badRequest();
    if (method === "OPTIONS" && request.target === "*") return { status: 200, headers: [], body: "" };
    const { path, query } = target;
    const misdirected = access && checkHost({ host: target.host ?? request.host, secure }, access, facts.log);
    if (misdirected !== undefined) return misdirected;
    const before = access === undefined ? [] : corsHeaders(request.header("origin") ?? "", access);
    if (access !== undefined && method === "OPTIONS") return { status: 200, headers: before, body: "" };
    const acceptEncoding = request.header("accept-encoding") ?? "";
    const given = await handleOps({ method, path, query, acceptEncoding }, facts, place);
    return { ...given, headers: [...before, ...given.headers] };
  };
  return async (request) => {
    try {
      return await answer(request);
    } catch (error) {
      facts.log.error("answering an HTTP request failed", { path: request.target, error });
      throw error;
    }
  };
}

function badRequest(): OpsAnswer {
  return { status: 400, headers: [["Content-Type", "text/plain; charset=utf-8"]], body: "400 Bad Request" };
}
