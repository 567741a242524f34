/** v3lockpb: the requests and answers of Lock. */
import { bytes, int64Id, message, submessage, type TypeOf } from "./codec.ts";
import { ResponseHeader } from "./etcdserverpb/header.ts";

/** `lease` 0n: the server grants one of 60 seconds. */
export const LockRequest = message("v3lockpb.LockRequest", { name: bytes(1), lease: int64Id(2) });
export type LockRequest = TypeOf<typeof LockRequest>;

/** `key` exists as long as the lock is held. */
export const LockResponse = message("v3lockpb.LockResponse", { header: submessage(1, ResponseHeader), key: bytes(2) });
export type LockResponse = TypeOf<typeof LockResponse>;

export const UnlockRequest = message("v3lockpb.UnlockRequest", { key: bytes(1) });
export type UnlockRequest = TypeOf<typeof UnlockRequest>;

export const UnlockResponse = message("v3lockpb.UnlockResponse", { header: submessage(1, ResponseHeader) });
export type UnlockResponse = TypeOf<typeof UnlockResponse>;
