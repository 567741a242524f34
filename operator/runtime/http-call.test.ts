import assert from "node:assert/strict";
import { Agent, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { VirtualTime } from "../../test/operator/virtual-time.ts";
import { exchange } from "./http-call.ts";
import { KubeError } from "./kube.ts";

describe("exchange", () => {
  it("takes an answer at its bound, refuses one beyond it, and goes below the path of the server", async () => {
    const paths: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      paths.push(request.url);
      response.end("x".repeat(100));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const agent = new Agent({ keepAlive: true });
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/k8s/clusters/c-1/`);
    const connection = { server: url, headers: {}, agent };
    const request = { method: "GET", path: "/api/v1/pods?limit=1", headers: {}, connection };
    const within = (maxBytes: number) => exchange(new VirtualTime(), request, { limitMs: 1000, maxBytes });
    assert.equal((await within(100)).body.length, 100);
    await assert.rejects(
      within(99),
      (error) => error instanceof KubeError && /longer than 99 bytes/.test(error.message),
    );
    assert.deepEqual(paths, ["/k8s/clusters/c-1/api/v1/pods?limit=1", "/k8s/clusters/c-1/api/v1/pods?limit=1"]);
    agent.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
});
