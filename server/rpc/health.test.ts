import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordingOutlet, TestCall } from "../../test/support/recording-outlet.ts";
import { HealthCheckResponse, ServingStatus } from "../proto/healthpb.ts";
import { Health } from "./health.ts";

const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = ServingStatus;

test("the server as a whole serves, other names are unknown", () => {
  const health = new Health();
  assert.deepEqual(health.check({ service: "" }), { status: SERVING });
  assert.throws(() => health.check({ service: "etcdserverpb.KV" }), { code: "UnknownHealthService" });
  assert.deepEqual(health.list(), { statuses: [{ key: "", value: { status: SERVING } }] });
});

test("a watch hears the state and its changes until it is canceled, a slow one the newest alone", () => {
  const health = new Health();
  const call = new TestCall();
  const outlet = new RecordingOutlet(HealthCheckResponse);
  health.watch({ service: "" }, call, outlet);
  health.setServing(true);
  health.setServing(false);
  const told = () => outlet.messages.map(({ status }) => status);
  assert.deepEqual(told(), [SERVING, NOT_SERVING]);
  outlet.room = false;
  health.setServing(true);
  health.setServing(false);
  health.setServing(true);
  health.setServing(false);
  assert.deepEqual(told(), [SERVING, NOT_SERVING, SERVING]);
  outlet.drain();
  assert.deepEqual(told(), [SERVING, NOT_SERVING, SERVING, NOT_SERVING]);
  call.cancel();
  health.setServing(true);
  assert.equal(outlet.messages.length, 4);
});

test("a watch of an unknown name is told so and kept", () => {
  const outlet = new RecordingOutlet(HealthCheckResponse);
  new Health().watch({ service: "x" }, new TestCall(), outlet);
  assert.deepEqual(outlet.messages, [{ status: SERVICE_UNKNOWN }]);
  assert.equal(outlet.ended, false);
});
