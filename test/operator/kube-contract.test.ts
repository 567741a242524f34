/** The contract of an API server on the fake one, and on the fake one over HTTP through the real client. */
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { RestClient } from "../../operator/runtime/rest-client.ts";
import { SYSTEM_TIME } from "../../operator/runtime/system-time.ts";
import { FakeKube } from "./fake-kube.ts";
import { serveFakeKube } from "./fake-kube-server.ts";
import { CONFIG_MAPS, KUBE_CONTRACT, PROBES } from "./kube-contract.ts";
import { plainConnections } from "./plain-connections.ts";

describe("the fake API server keeps the contract", () => {
  for (const { name, run } of KUBE_CONTRACT)
    it(name, async () => {
      const fake = new FakeKube();
      await run({ kube: fake, namespace: "contract", settle: () => turn(), compact: () => fake.objects.compact() });
    });
});

describe("the fake API server over HTTP keeps the contract, and so does the client", () => {
  for (const pieceBytes of [undefined, 7])
    for (const { name, run } of KUBE_CONTRACT)
      it(pieceBytes === undefined ? name : `${name} (watches in pieces of ${pieceBytes} bytes)`, async () => {
        const fake = new FakeKube();
        const server = await serveFakeKube(fake, [CONFIG_MAPS, PROBES], pieceBytes === undefined ? {} : { pieceBytes });
        const { connections, close } = plainConnections(server.url);
        const kube = new RestClient({ connections, time: SYSTEM_TIME, userAgent: "contract/1" });
        try {
          const compact = () => fake.objects.compact();
          await run({ kube, namespace: "contract", settle: () => turn(), compact });
        } finally {
          close();
          await server.close();
        }
      });
});
