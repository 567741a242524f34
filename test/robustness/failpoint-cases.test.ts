/** The lists of what is tried where name every failpoint. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FAILPOINTS } from "../../server/base/failpoint.ts";
import { ALONE, AMONG_THREE, AT_START, TAKING_A_STATE } from "./failpoint-cases.ts";

test("every failpoint is tried on real processes, in one of the lists", () => {
  const tried = [...ALONE, ...AMONG_THREE].map(({ name }) => name).concat(AT_START, TAKING_A_STATE);
  assert.deepEqual([...new Set(tried)].sort(), [...FAILPOINTS].sort());
});
