import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { failureInStream, failureOf } from "./api-failure.ts";
import { isAlreadyThere, isConflict, isGone, isNotFound } from "./kube.ts";

function status(code: number, reason: string, details: object = { name: "a" }): string {
  return JSON.stringify({ kind: "Status", status: "Failure", message: `it is ${reason}`, reason, code, details });
}

describe("failures of the API", () => {
  it("are told apart by status and reason", () => {
    const failure = (code: number, reason: string) => failureOf("GET /x", code, status(code, reason));
    assert.ok(isNotFound(failure(404, "NotFound")));
    assert.ok(isAlreadyThere(failure(409, "AlreadyExists")) && !isConflict(failure(409, "AlreadyExists")));
    assert.ok(isConflict(failure(409, "Conflict")) && !isAlreadyThere(failure(409, "Conflict")));
    assert.ok(isGone(failure(410, "Expired")));
    assert.equal(failure(422, "Invalid").message, "GET /x: it is Invalid");
  });

  it("a path or kind that is missing is not an object that is missing", () => {
    assert.ok(!isNotFound(failureOf("GET /x", 404, "404 page not found\n")));
    assert.ok(!isNotFound(failureOf("GET /x", 404, status(404, "NotFound", {}))));
    assert.ok(!isNotFound(failureOf("GET /x", 404, "<html>nginx</html>")));
  });

  it("say how long to leave the server alone, by header or in the body", () => {
    assert.equal(failureOf("GET /x", 429, status(429, "TooManyRequests"), "7").retryAfterMs, 7000);
    assert.equal(failureOf("GET /x", 503, "busy", "2").retryAfterMs, 2000);
    assert.equal(failureOf("GET /x", 504, status(504, "Timeout", { retryAfterSeconds: 3 })).retryAfterMs, 3000);
    assert.equal(failureOf("GET /x", 429, "busy", "Wed, 21 Oct 2026 07:28:00 GMT").retryAfterMs, undefined);
    assert.equal(failureOf("GET /x", 500, "busy").retryAfterMs, undefined);
  });

  it("show only the beginning of a text that is no Status", () => {
    const { message, status: code, reason } = failureOf("GET /x", 502, "x".repeat(5000));
    assert.ok(message.length < 400);
    assert.deepEqual([code, reason], [502, ""]);
  });

  it("in a stream: always with a status, so that nobody takes them for an unknown outcome", () => {
    const gone = failureInStream("GET /x", { kind: "Status", code: 410, reason: "Expired", message: "too old" });
    assert.ok(isGone(gone));
    assert.equal(failureInStream("GET /x", undefined).status, 500);
    assert.equal(failureInStream("GET /x", { strange: true }).status, 500);
  });
});
