import assert from "node:assert/strict";
import { test } from "node:test";
import { SimClock } from "../../test/simulation/world/clock.ts";
import { LogLines } from "../../test/support/settling.ts";
import { ViewWatch } from "./view-watch.ts";

test("read views that are open for 10 s are told, once a minute, and short ones never", async () => {
  const clock = new SimClock();
  const logger = new LogLines();
  let views = 0;
  const watch = new ViewWatch({ clock, logger, openViews: () => views });
  const pass = async (seconds: number) => {
    for (let tick = 0; tick < seconds * 10; tick++) {
      watch.tick();
      let passed = false;
      clock.after(100, () => {
        passed = true;
      });
      await clock.run(() => passed, 1000);
    }
  };
  views = 1;
  await pass(9);
  views = 0;
  await pass(1);
  views = 2;
  await pass(9);
  assert.equal(logger.lines.length, 0, "never 10 s at a stretch");
  await pass(2);
  assert.equal(logger.lines.length, 1);
  await pass(50);
  assert.equal(logger.lines.length, 1);
  await pass(12);
  assert.equal(logger.lines.length, 2);
});
