import assert from "node:assert/strict";
import { test } from "node:test";
import { PeerListener } from "./peer-listener.ts";

const ANY = { host: "127.0.0.1", port: 0, isSecure: false };

test("a port that is in use is named, with the flag, and none is kept", async () => {
  const first = await PeerListener.bind([ANY]);
  const port = Number(first.addresses[0]?.split(":")[1]);
  try {
    await assert.rejects(
      PeerListener.bind([ANY, { ...ANY, port }]),
      new RegExp(`listen on http://127.0.0.1:${port} \\(--listen-peer-urls\\): .*EADDRINUSE`),
    );
  } finally {
    await first.close();
  }
  await (await PeerListener.bind([{ ...ANY, port }])).close();
});

test("https without certificates is refused with what is missing", async () => {
  await assert.rejects(PeerListener.bind([{ ...ANY, isSecure: true }]), /--peer-cert-file/);
});

test("a request that comes before anybody serves waits for it", async () => {
  const listener = await PeerListener.bind([ANY]);
  try {
    const answer = fetch(`http://${listener.addresses[0]}/early`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    listener.serve((request, response) => response.end(`served ${request.url}`));
    assert.equal(await (await answer).text(), "served /early");
  } finally {
    await listener.close();
  }
});
