/** What the words and the environment of `npm run bench` mean. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readOptions, UsageError } from "./options.ts";

test("words choose rows, options say what to do with them", () => {
  const { mode, parts, jsonFile, pairs, fewPairs } = readOptions(["range", "--json", "out.json", "put"], {});
  assert.deepEqual({ mode, parts, jsonFile }, { mode: "measure", parts: ["range", "put"], jsonFile: "out.json" });
  assert.deepEqual([pairs, fewPairs], [7, 3]);
  assert.equal(readOptions(["--list"], {}).mode, "list");
  assert.equal(readOptions(["--json=x"], {}).jsonFile, "x");
  assert.deepEqual(readOptions(["--profile", "put"], {}).parts, ["put"]);
});

test("the environment sets how much is measured", () => {
  const { pairs, fewPairs, seconds, sizeKeys } = readOptions([], { PAIRS: "2", SECONDS_A_ROW: "5", SIZE_KEYS: "1000" });
  assert.deepEqual([pairs, fewPairs, seconds, sizeKeys], [2, 2, 5, 1000]);
});

test("what cannot be understood is named with its remedy", () => {
  const cases: [string[], Record<string, string>, RegExp][] = [
    [["--jsno"], {}, /no option "--jsno": --list/],
    [["--keys"], {}, /--keys needs a word/],
    [["--json"], {}, /--json needs the name of a file/],
    [[], { PAIRS: "0" }, /PAIRS is "0": it must be a whole number from 1 on/],
    [[], { SECONDS_A_ROW: "1.5" }, /SECONDS_A_ROW is "1\.5"/],
  ];
  for (const [argv, env, text] of cases)
    assert.throws(
      () => readOptions(argv, env),
      (error) => error instanceof UsageError && text.test(error.message),
    );
});
