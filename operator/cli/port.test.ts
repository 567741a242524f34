import assert from "node:assert/strict";
import { test } from "node:test";
import { Port } from "./port.ts";

test("the port tells health, readiness and metrics apart, and has an answer to all else", async (t) => {
  let isReady = false;
  const port = await Port.open(
    { host: "127.0.0.1", port: 0 },
    {
      isReady: () => isReady,
      metrics: async () => {
        if (!isReady) throw new Error("not now");
        return { contentType: "text/plain; version=0.0.4", body: "a 1\n" };
      },
    },
  );
  t.after(() => port.close());
  const ask = async (path: string, method = "GET") => {
    const response = await fetch(`http://127.0.0.1:${port.number}${path}`, { method });
    return [response.status, await response.text()];
  };
  assert.deepEqual(await ask("/healthz"), [200, "ok\n"]);
  assert.equal((await ask("/readyz"))[0], 503);
  assert.deepEqual(await ask("/metrics"), [500, "not now\n"]);
  isReady = true;
  assert.deepEqual(await ask("/readyz?verbose"), [200, "ok\n"]);
  assert.deepEqual(await ask("/metrics"), [200, "a 1\n"]);
  assert.equal((await ask("/"))[0], 404);
  assert.equal((await ask("/healthz", "POST"))[0], 405);
});

test("an address that cannot be had is an error", async (t) => {
  const parts = { isReady: () => true, metrics: async () => ({ contentType: "", body: "" }) };
  const first = await Port.open({ host: "127.0.0.1", port: 0 }, parts);
  t.after(() => first.close());
  await assert.rejects(Port.open({ host: "127.0.0.1", port: first.number }, parts), /EADDRINUSE/);
});
