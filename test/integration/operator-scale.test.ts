/**
 * The operator's program with ten clusters at once: all become Ready, and at rest it asks the API server for next to
 * nothing. `npm run test:operator-scale` has two hundred, and the figures.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FakePlace, LEASE } from "../operator/scale/fake-place.ts";
import { create, failOver, measure, until } from "../operator/scale/measure.ts";
import { OperatorProcess } from "../operator/scale/operator-process.ts";

const COUNT = 10;
const MIB = 2 ** 20;
/** Leases, watches that end and bookmarks; in a minute, with what the last statuses need. */
const REQUESTS_AT_REST = 60;

const skip = process.platform === "linux" ? false : "its members need the addresses below 127.0.0.0/8 that Linux has";

test("ten clusters at once become Ready, are quiet at rest, and are handed over", { skip }, async (t) => {
  const place = await FakePlace.open();
  t.after(() => place.close());
  const start = async () => {
    const operator = await OperatorProcess.start({ server: place.server.url, namespace: LEASE.namespace });
    t.after(() => operator.stop());
    return operator;
  };
  const first = await start();
  await until("it leads", () => first.leads(), 30_000, first);
  const empty = first.memory().now;
  const { load } = await create(place, first, COUNT, 180_000);
  assert.equal(load.errors, 0, first.log);
  assert.equal(place.etcd.births.length, COUNT, "each cluster is begun once");
  assert.equal(place.etcd.clusterIds.length, COUNT);
  await sleep(10_000); // the last statuses are written
  const rest = await measure(first, () => sleep(20_000));
  assert.ok(rest.requestsAMinute <= REQUESTS_AT_REST, JSON.stringify(rest, undefined, 1));
  assert.equal(rest.errors, 0, first.log);
  // Seen: below 100 on Node 20, 122 once on Node 24 beside other work; why it is more there has not been looked into.
  assert.ok(rest.memory - empty < 200 * MIB, `${(rest.memory - empty) / MIB} MiB more than without clusters`);
  const second = await start();
  const { leadsMs } = await failOver(place, first, second, "SIGTERM", 30_000);
  assert.ok(leadsMs < 15_000, `handed over after ${leadsMs} ms`);
});
