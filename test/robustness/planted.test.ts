/** A planted mistake whose place has moved would stop the test that it is for: said here, in a second. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { PLANTED } from "./cluster/planted-mistakes.ts";
import * as planted from "./planted.ts";

const SERVER = fileURLToPath(new URL("../../server/", import.meta.url));

test("whatever is planted has its place in the built server, once", () => {
  const own = Object.values(planted)
    .flat()
    .filter((one): one is planted.Edit => typeof one === "object" && "from" in one);
  const edits = [...own, ...PLANTED.map(({ edit }) => edit)];
  assert.ok(edits.length >= 13, `${edits.length} edits`);
  for (const { name, file, from } of edits) {
    const found = readFileSync(`${SERVER}${file}`, "utf8").split(from).length - 1;
    assert.equal(found, 1, `"${from}" in ${file}: ${name}`);
  }
});
