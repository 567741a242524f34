import assert from "node:assert/strict";
import { test } from "node:test";
import { type Headers, readCallFacts } from "./call-facts.ts";
import { statusOf } from "./status.ts";

const PEER = { remoteAddress: "10.0.0.1:5", commonName: "alice" };

function facts(headers: Headers) {
  return readCallFacts(headers, PEER);
}

test("a call without headers is anonymous, patient and of an unknown version", () => {
  assert.deepEqual(facts({}), {
    token: undefined,
    commonName: "alice",
    remoteAddress: "10.0.0.1:5",
    requiresLeader: false,
    clientApiVersion: "unknown",
    timeoutMs: undefined,
    refusal: undefined,
  });
});

test("a token comes by its own header, or by the one that gateways know", () => {
  assert.equal(facts({ token: "t", authorization: "Bearer b" }).token, "t");
  assert.equal(facts({ authorization: "Bearer b" }).token, "b");
  assert.equal(facts({ authorization: "b" }).token, "b");
});

test("only the word true asks for a leader", () => {
  assert.equal(facts({ hasleader: "true" }).requiresLeader, true);
  assert.equal(facts({ hasleader: "1" }).requiresLeader, false);
});

test("a version that is not UTF-8 has no text", () => {
  assert.equal(facts({ "client-api-version": "3.7" }).clientApiVersion, "3.7");
  assert.equal(facts({ "client-api-version": "\u00c3\u00a9" }).clientApiVersion, "\u00e9");
  assert.equal(facts({ "client-api-version": "\u00ff" }).clientApiVersion, undefined);
});

test("timeouts are read in all their units", () => {
  const timeout = (text: string) => facts({ "grpc-timeout": text }).timeoutMs;
  assert.deepEqual(
    ["2H", "3M", "4S", "5m", "6u", "99999999S", "0S"].map(timeout),
    [7_200_000, 180_000, 4000, 5, 0.006, 99_999_999_000, 0],
  );
});

test("a timeout that is none, and an encoding that we do not have, refuse the call in grpc-go's words", () => {
  const refusal = (headers: Headers) => {
    const error = facts(headers).refusal;
    assert.ok(error !== undefined);
    const { grpc, text } = statusOf(error);
    return `${grpc} ${text}`;
  };
  const timeout = (text: string) => refusal({ "grpc-timeout": text });
  assert.equal(timeout("abc"), '13 malformed grpc-timeout: transport: timeout unit is not recognized: "abc"');
  assert.equal(timeout("123456789S"), '13 malformed grpc-timeout: transport: timeout string is too long: "123456789S"');
  assert.equal(timeout("S"), '13 malformed grpc-timeout: transport: timeout string is too short: "S"');
  assert.equal(timeout("-5S"), '13 malformed grpc-timeout: strconv.ParseUint: parsing "-5": invalid syntax');
  assert.equal(
    refusal({ "grpc-encoding": "snappy" }),
    '12 grpc: Decompressor is not installed for grpc-encoding "snappy"',
  );
  assert.equal(facts({ "grpc-encoding": "gzip" }).refusal, undefined);
  assert.equal(facts({ "grpc-encoding": "identity" }).refusal, undefined);
});
