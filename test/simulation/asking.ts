/** One call to a member, made and taken down: its request and its answer as the checkers have them. */
import type { ErrorCode } from "../../server/base/error.ts";
import type { Member } from "../../server/member/member.ts";
import {
  CompactionRequest,
  LeaseGrantRequest,
  LeaseRevokeRequest,
  type RequestOpUnion,
  type ResponseHeader,
  type ResponseOpUnion,
} from "../../server/proto/etcdserverpb.ts";
import type { Answer, Refusal, Request, Result } from "../checkers/history.ts";
import { refusalOf, requestOf, resultOf } from "../checkers/messages.ts";

export type Done = Extract<Answer, { kind: "done" }>;

/** A call under way. */
export interface Asked {
  readonly request: Request;
  /** Rejects with what the member threw. */
  readonly answer: Promise<Done>;
}

/** After these the call has had no effect and never will; after any other nobody knows. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  "Compacted",
  "FutureRevision",
  "LeaseNotFound",
  "LeaseExists",
  "KeyNotFound",
  "NoLeader",
  "TooManyRequests",
  "NoSpace",
]);

/** Why nothing came of the call; undefined: something may have. */
export function refusalIn(code: ErrorCode): Refusal | undefined {
  return REFUSALS.has(code) ? refusalOf(code) : undefined;
}

export function askKv(member: Member, operation: RequestOpUnion): Asked {
  return { request: requestOf(operation), answer: kvAnswer(member, operation) };
}

export function askCompact(member: Member, revision: number): Asked {
  const answer = async () => {
    const { header } = await member.compact(CompactionRequest.create({ revision }));
    return done(member, header, { kind: "compact" });
  };
  return { request: { kind: "compact", revision }, answer: answer() };
}

export function askGrant(member: Member, lease: bigint, ttlSeconds: number): Asked {
  const answer = async () => {
    const { header, ttl } = await member.leaseGrant(LeaseGrantRequest.create({ id: lease, ttl: ttlSeconds }));
    return done(member, header, { kind: "grant", ttlSeconds: ttl });
  };
  return { request: { kind: "grant", lease, ttlSeconds }, answer: answer() };
}

export function askRenew(member: Member, lease: bigint): Asked {
  // As the service does it: the header is of the moment at which the call came.
  const { revision } = member.header();
  const answer = async (): Promise<Done> => {
    const ttlSeconds = await member.leaseRenew(lease);
    return { kind: "done", revision, result: { kind: "renew", ttlSeconds } };
  };
  return { request: { kind: "renew", lease }, answer: answer() };
}

export function askRevoke(member: Member, lease: bigint): Asked {
  const answer = async () => {
    const { header } = await member.leaseRevoke(LeaseRevokeRequest.create({ id: lease }));
    return done(member, header, { kind: "revoke" });
  };
  return { request: { kind: "revoke", lease }, answer: answer() };
}

async function kvAnswer(member: Member, operation: RequestOpUnion): Promise<Done> {
  const told = (header: ResponseHeader | undefined, response: ResponseOpUnion) =>
    done(member, header, resultOf(response));
  switch (operation.kind) {
    case "put": {
      const value = await member.put(operation.value);
      return told(value.header, { kind: "put", value });
    }
    case "range": {
      const value = await member.range(operation.value);
      return told(value.header, { kind: "range", value });
    }
    case "deleteRange": {
      const value = await member.deleteRange(operation.value);
      return told(value.header, { kind: "deleteRange", value });
    }
    case "txn": {
      const value = await member.txn(operation.value);
      return told(value.header, { kind: "txn", value });
    }
  }
}

/** As the service does it: without a revision of its own an answer has the newest. */
function done(member: Member, header: ResponseHeader | undefined, result: Result): Done {
  const revision = header?.revision ?? 0;
  return { kind: "done", revision: revision === 0 ? member.header().revision : revision, result };
}
