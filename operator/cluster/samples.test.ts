import assert from "node:assert/strict";
import { test } from "node:test";
import type { AskedFacts } from "../plan/observation.ts";
import { Samples } from "./samples.ts";

function answer(at: number, raftTerm: number, leaderId = "a"): AskedFacts {
  const status = { raftTerm, leaderId } as NonNullable<AskedFacts["status"]>;
  return { at, status, isServing: true, loadedCertificates: undefined, error: undefined };
}

const silent = (at: number): AskedFacts => ({ ...answer(at, 0), status: undefined });

test("an earlier sample is two seconds old or more, and the newest of those", () => {
  const samples = new Samples();
  for (const at of [0, 500, 1900, 2100]) samples.keep("u", new Map([["m", answer(at, at)]]));
  assert.equal(samples.earlier("u", 1999).size, 0);
  assert.equal(samples.earlier("u", 2100).get("m")?.at, 0);
  assert.equal(samples.earlier("u", 4000).get("m")?.at, 1900);
});

test("passes that follow each other fast leave few samples, and still an old one", () => {
  const samples = new Samples();
  for (let at = 0; at <= 10_000; at += 10) {
    const earlier = samples.earlier("u", at).get("m");
    if (at >= 4000) assert.ok(earlier !== undefined && at - earlier.at <= 4000, `at ${at}: ${earlier?.at}`);
    samples.keep("u", new Map([["m", answer(at, 1)]]));
  }
});

test("a member that did not answer begins anew, and a cluster that is gone leaves nothing", () => {
  const samples = new Samples();
  samples.keep("u", new Map([["m", answer(0, 1)]]));
  samples.keep("u", new Map([["m", silent(1000)]]));
  samples.keep("u", new Map([["m", answer(1500, 1)]]));
  assert.equal(samples.earlier("u", 3000).size, 0);
  samples.forget("u");
  assert.equal(samples.size, 0);
});
