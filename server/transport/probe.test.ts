import assert from "node:assert/strict";
import { test } from "node:test";
import { StubPeer } from "../../test/support/raw-members.ts";
import { eventually, TransportMember, withMembers } from "../../test/support/transport-member.ts";

test("the way to a member is measured again and again", async () => {
  await withMembers(
    2,
    async ([one, two]) => {
      assert.ok(one !== undefined && two !== undefined);
      const measured = () => one.series.network.peerRoundTripSeconds.with("2").cumulative().at(-1) ?? 0;
      await eventually(() => measured() >= 3, "it is measured");
      assert.ok(!one.log.of("warn").includes("prober found high clock drift"));
    },
    { timing: { probeMs: 20 } },
  );
});

test("a clock that is far off is told of, and not again and again; Go's nanoseconds are read", async () => {
  const one = await TransportMember.start(1n, { timing: { probeMs: 20 } });
  let probes = 0;
  const stub = await StubPeer.start((head) => {
    if (!head.startsWith("GET /raft/probing ")) return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    probes++;
    const now = new Date(Date.now() - 60_000).toISOString().replace("Z", "123456Z");
    const body = `{"OK":true,"Now":"${now}"}\n`;
    return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  });
  try {
    one.network.addPeer(2n, [stub.url]);
    await eventually(() => probes >= 5, "it is probed");
    const warnings = one.log.lines.filter(({ message }) => message === "prober found high clock drift");
    assert.equal(warnings.length, 1);
    assert.match(String(warnings[0]?.fields["clock-drift"]), /^-(5|6)\d{4}ms$/);
  } finally {
    await one.close();
    await stub.close();
  }
});
