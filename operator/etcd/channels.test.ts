import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../../server/client/client.ts";
import { Channels } from "./channels.ts";
import type { Endpoint } from "./etcd-admin.ts";

/** A world in which dialling is noted and nothing is connected. */
function world(max = 2) {
  const dialed: string[] = [];
  const closed: string[] = [];
  const clock = { now: 0 };
  const dial = ({ url, serverName }: Endpoint) => {
    const name = `${url}${serverName === undefined ? "" : `#${serverName}`}`;
    dialed.push(name);
    return { close: () => closed.push(name) } as unknown as Client;
  };
  return { clock, dialed, closed, channels: new Channels({ max, idleMs: 1000 }, () => clock.now, dial) };
}

test("a channel is kept between calls, and closed once it has rested too long", () => {
  const { clock, dialed, closed, channels } = world();
  channels.lend({ url: "a" }).giveBack(false);
  channels.lend({ url: "a" }).giveBack(false);
  assert.deepEqual(dialed, ["a"]);
  clock.now = 1001;
  channels.lend({ url: "b" }).giveBack(false);
  assert.deepEqual(closed, ["a"]);
  assert.equal(channels.size, 1);
});

test("after a call that came to nothing the next one dials anew; others on the channel end first", () => {
  const { dialed, closed, channels } = world();
  const [one, two] = [channels.lend({ url: "a" }), channels.lend({ url: "a" })];
  one.giveBack(true);
  assert.deepEqual(closed, []);
  channels.lend({ url: "a" }).giveBack(false);
  assert.deepEqual(dialed, ["a", "a"]);
  two.giveBack(false);
  assert.deepEqual(closed, ["a"]);
  assert.equal(channels.size, 1);
});

test("another name or certificate at the same address is another channel", () => {
  const { dialed, closed, channels } = world();
  channels.lend({ url: "a", serverName: "x" }).giveBack(false);
  channels.lend({ url: "a", serverName: "y" }).giveBack(false);
  assert.deepEqual(dialed, ["a#x", "a#y"]);
  assert.deepEqual(closed, ["a#x"]);
  channels.lend({ url: "a", serverName: "y", tls: { ca: "1" } }).giveBack(false);
  channels.lend({ url: "a", serverName: "y", tls: { ca: "2" } }).giveBack(false);
  assert.equal(dialed.length, 4);
});

test("at the bound the one that has rested longest makes room; when none rests the call is refused", () => {
  const { clock, closed, channels } = world();
  channels.lend({ url: "a" }).giveBack(false);
  clock.now = 1;
  channels.lend({ url: "b" }).giveBack(false);
  clock.now = 2;
  channels.lend({ url: "c" });
  assert.deepEqual(closed, ["a"]);
  channels.lend({ url: "d" });
  assert.deepEqual(closed, ["a", "b"]);
  assert.throws(() => channels.lend({ url: "e" }), /2 members are being asked/);
});

test("close() leaves nothing open that nobody uses", () => {
  const { closed, channels } = world();
  channels.lend({ url: "a" }).giveBack(false);
  const lent = channels.lend({ url: "b" });
  channels.close();
  assert.deepEqual(closed, ["a"]);
  lent.giveBack(false);
  assert.deepEqual(closed, ["a", "b"]);
});
