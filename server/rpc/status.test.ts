import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, EtcdError } from "../base/error.ts";
import { GRPC_CODE_NAMES, GrpcCode, goErrorText, STATUS, statusOf } from "./status.ts";

/** etcd's table by code, without the prefix that all of these texts have. */
const ETCDSERVER: Readonly<Record<string, readonly string[]>> = {
  InvalidArgument: [
    "key is not provided",
    "key not found",
    "value is provided",
    "lease is provided",
    "too many operations in txn request",
    "duplicate key given in txn request",
    "invalid client api version",
    "invalid sort option",
    "given member URLs are invalid",
    "request is too large",
    "user name is empty",
    "role name is empty",
    "authentication failed, invalid user ID or password",
    "permission not given",
    "invalid auth management",
    "revision of auth store is old",
    "wrong downgrade target version format",
    "invalid downgrade target version",
  ],
  OutOfRange: [
    "mvcc: required revision has been compacted",
    "mvcc: required revision is a future revision",
    "too large lease TTL",
  ],
  ResourceExhausted: ["mvcc: database space exceeded"],
  NotFound: ["requested lease not found", "member not found"],
  FailedPrecondition: [
    "lease already exists",
    "member ID already exist",
    "Peer URLs already exists",
    "can only promote a learner member",
    "can only promote a learner member which is in sync with leader",
    "too many learner members in cluster",
    "cluster ID mismatch",
    "root user does not exist",
    "root user does not have root role",
    "user name already exists",
    "user name not found",
    "role name already exists",
    "role name not found",
    "role is not granted to the user",
    "permission is not granted to the role",
    "authentication is not enabled",
    "not leader",
    "not capable",
    "rpc not supported for learner",
    "bad leader transferee",
    "cluster version not found during downgrade",
    "cluster has a downgrade job in progress",
    "no inflight downgrade job",
  ],
  Canceled: ["watch canceled"],
  PermissionDenied: ["permission denied"],
  Unauthenticated: ["invalid auth token"],
  Unavailable: [
    "no leader",
    "leader changed",
    "server stopped",
    "request timed out",
    "request timed out, possibly due to previous leader failure",
    "request timed out, possibly due to connection lost",
    "request timed out, waiting for the applied index took too long",
    "unhealthy cluster",
  ],
  DataLoss: ["corrupt cluster"],
  // Those that travel without a code of their own.
  Unknown: [
    "re-configuration failed due to not enough started members",
    "too many requests",
    "request timed out, leader transfer took too long",
    "unknown method",
  ],
};

/** The others: code, gRPC's code, text. */
const OTHERS: readonly (readonly [ErrorCode, string, string])[] = [
  ["NotPrimaryLessor", "Unknown", "not a primary lessor"],
  ["PasswordGivenForNoPasswordUser", "Unknown", "auth: authentication failed, password was given for no password user"],
  ["Canceled", "Canceled", "context canceled"],
  ["DeadlineExceeded", "DeadlineExceeded", "context deadline exceeded"],
  ["Unimplemented", "Unimplemented", "method not implemented"],
  ["MalformedRequest", "Internal", "proto: cannot parse invalid wire-format data"],
  ["UnknownHealthService", "NotFound", "unknown service"],
  ["DefragmentationFailed", "Unknown", "the defragmentation failed"],
];

test("every refusal has etcd's code and text, and there are no others", () => {
  const expected = Object.entries(ETCDSERVER).flatMap(([code, texts]) =>
    texts.map((text) => `${code} etcdserver: ${text}`),
  );
  for (const [, code, text] of OTHERS) expected.push(`${code} ${text}`);
  const actual = Object.values(STATUS).map(({ grpc, text }) => `${GRPC_CODE_NAMES[grpc]} ${text}`);
  assert.deepEqual(actual.sort(), expected.sort());
  for (const [code, grpc] of OTHERS) assert.equal(GRPC_CODE_NAMES[STATUS[code].grpc], grpc);
});

test("a detail takes the place of the text, never of the code", () => {
  assert.deepEqual(statusOf(new EtcdError("Unimplemented", "method X not implemented")), {
    grpc: GrpcCode.UNIMPLEMENTED,
    text: "method X not implemented",
  });
  assert.deepEqual(statusOf(new EtcdError("NoLeader")), { grpc: 14, text: "etcdserver: no leader" });
});

test("a reason inside a message is written as Go prints an error", () => {
  assert.equal(
    goErrorText(new EtcdError("PermissionDenied")),
    "rpc error: code = PermissionDenied desc = etcdserver: permission denied",
  );
});
