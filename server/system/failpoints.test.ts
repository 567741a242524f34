import assert from "node:assert/strict";
import { test } from "node:test";
import { type FailpointName, failpoint } from "../base/failpoint.ts";
import type { Logger } from "../ports/logger.ts";
import { parseFailpoints } from "./failpoint-thread.ts";
import { startFailpoints } from "./failpoints.ts";

const warnings: string[] = [];
const logger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message) => void warnings.push(message),
  error: () => undefined,
};
const isOn = () => failpoint !== undefined;

test("without the variables nothing is on, and nothing is said", async () => {
  await startFailpoints({ FAILPOINTS: "true" }, logger);
  assert.deepEqual([isOn(), warnings], [false, []]);
});

test("variables that cannot be read are named, with what is wrong", async () => {
  for (const [env, complaint] of [
    [{ GOFAIL_HTTP: "22381" }, /GOFAIL_HTTP=22381: it is not HOST:PORT/],
    [{ GOFAIL_HTTP: "127.0.0.1:70000" }, /it is not HOST:PORT/],
    [{ GOFAIL_FAILPOINTS: "beforeCommit" }, /GOFAIL_FAILPOINTS=beforeCommit: "beforeCommit" is not NAME=TERMS/],
    [{ GOFAIL_FAILPOINTS: "nowhere=panic" }, /there is no failpoint "nowhere"/],
    [{ GOFAIL_FAILPOINTS: "beforeCommit=boom" }, /"boom" is no action/],
  ] as const)
    await assert.rejects(startFailpoints(env, logger), complaint);
  assert.equal(isOn(), false);
});

test("several are read at once, by etcd's long names too", () => {
  assert.deepEqual(parseFailpoints('beforeCommit=1*sleep("1s")->panic; go.etcd.io/etcd/x/walAfterSync=off;'), [
    { name: "beforeCommit" satisfies FailpointName, terms: '1*sleep("1s")->panic' },
    { name: "walAfterSync", terms: "off" },
  ]);
});
