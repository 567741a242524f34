import assert from "node:assert/strict";
import { test } from "node:test";
import { STATUS } from "../../server/rpc/status.ts";
import type { RefusalKind } from "./etcd-admin.ts";
import { refusalOf } from "./refusals.ts";

type Name = keyof typeof STATUS;

/** What the server answers under a name of its own. */
const kind = (name: Name): RefusalKind => refusalOf({ code: STATUS[name].grpc, text: STATUS[name].text }).kind;

test("a refusal is known by the very texts that the server sends", () => {
  const expected: readonly (readonly [Name, RefusalKind])[] = [
    ["Unhealthy", "unhealthy"],
    ["NotEnoughStartedMembers", "unhealthy"],
    ["LearnerNotReady", "not-ready"],
    ["NotSupportedForLearner", "learner"],
    ["NoLeader", "no-leader"],
    ["MemberNotFound", "not-found"],
    ["MemberExists", "already-there"],
    ["PeerUrlExists", "already-there"],
    ["MemberNotLearner", "already-there"],
    ["TooManyLearners", "too-many-learners"],
    ["PermissionDenied", "denied"],
    ["InvalidAuthToken", "denied"],
    ["NotLeader", "other"],
    ["BadLeaderTransferee", "other"],
    ["BadMemberUrls", "other"],
  ];
  for (const [name, wanted] of expected) assert.equal(kind(name), wanted, name);
});

test("what may have been carried out is unknown, whatever its code", () => {
  const names: readonly Name[] = [
    "Timeout",
    "TimeoutLeaderFailure",
    "TimeoutConnectionLost",
    "TimeoutLeaderTransfer",
    "LeaderChanged",
    "Stopped",
    "Canceled",
    "DeadlineExceeded",
  ];
  for (const name of names) assert.equal(kind(name), "unknown", name);
  assert.equal(refusalOf({ code: 14, text: "No connection established" }).kind, "unknown");
  assert.equal(refusalOf({ code: 4, text: "Deadline exceeded after 2.000s" }).kind, "unknown");
});

test("3.5 sends some of these texts under another code", () => {
  assert.equal(refusalOf({ code: 14, text: "etcdserver: rpc not supported for learner" }).kind, "learner");
});

test("a text is one line of bounded length", () => {
  const { message } = refusalOf({ code: 2, text: `a\n b${"x".repeat(1000)}` });
  assert.ok(message.startsWith("a bxxx"));
  assert.ok(message.length <= 303);
  assert.equal(refusalOf({ code: 13, text: "" }).message, "gRPC code 13");
});
