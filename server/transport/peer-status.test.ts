import assert from "node:assert/strict";
import { test } from "node:test";
import { SimClock } from "../../test/simulation/world/clock.ts";
import { LogLines, pass } from "../../test/support/settling.ts";
import type { PeerSeries } from "./peer-series.ts";
import { PeerStatus } from "./peer-status.ts";

class Place {
  readonly clock = new SimClock();
  active = 0;
  readonly status = new PeerStatus(7n, this.clock, new LogLines(), {
    active: { inc: () => this.active++, dec: () => this.active-- },
    disconnected: { inc: () => undefined },
  } as unknown as PeerSeries);
}

test("a member is active since it was first heard to be there, until something with it fails", async () => {
  const place = new Place();
  assert.equal(place.status.activeSince, undefined);
  place.status.activate();
  const since = place.status.activeSince;
  await pass(place.clock, 10);
  place.status.activate();
  assert.equal(place.status.activeSince, since);
  await pass(place.clock, 10);
  place.status.deactivate("read on stream Message", "it closed it");
  assert.equal(place.status.activeSince, undefined);
  assert.equal(place.active, 0);
});

test("an attempt from before the member was last there does not say that it is gone; one from after it does", async () => {
  const place = new Place();
  const begunMs = place.clock.monotonicMs();
  await pass(place.clock, 500);
  place.status.activate();
  await pass(place.clock, 1500);
  place.status.deactivate("write on pipeline", "no connection within 2000 ms", begunMs);
  assert.notEqual(place.status.activeSince, undefined);
  place.status.deactivate("write on pipeline", "no connection within 2000 ms", place.clock.monotonicMs());
  assert.equal(place.status.activeSince, undefined);
});
