/** The scanner under the house rules: what is code, what is not, and what it finds there. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { functionsOf, readSource, tokenize } from "./scan.ts";
import { readTree } from "./tree.ts";

const words = (text: string) =>
  tokenize(text)
    .filter(({ kind }) => kind === "word")
    .map((token) => token.text);

test("tokenize() leaves out what only looks like code", () => {
  const nothing = [
    "// Date",
    "/* Date\n * Date */",
    '"Date"',
    "'Da\\'te Date'",
    "`Date`",
    "`a\\`Date`",
    "/Date/g",
    '/[/"Date]\\/Date/',
    "/* // */ // /*\n",
    "'//' // Date",
  ];
  for (const text of nothing) assert.deepEqual(words(text), [], text);
});

test("tokenize() finds code behind and inside of literals", () => {
  const cases: [string, string[]][] = [
    ['"a" + Date', ["Date"]],
    ["/x/.test(Date)", ["test", "Date"]],
    ["a / Date / b", ["a", "Date", "b"]],
    ["(a) / Date", ["a", "Date"]],
    ["return /Date/", ["return"]],
    ["`${Date}`", ["Date"]],
    ["`a ${f({ b: `${Date}` })} Date`", ["f", "b", "Date"]],
    ["`${a}` + Date + `${b}`", ["a", "Date", "b"]],
    ["x = '\nDate", ["x", "Date"]],
    ["#secret = 1e-3 + Date", ["#secret", "Date"]],
    ["a?.Date ?? b", ["a", "Date", "b"]],
  ];
  for (const [text, expected] of cases) assert.deepEqual(words(text), expected, text);
});

test("tokenize() counts lines through comments and templates", () => {
  const tokens = tokenize("/*\n\n*/ a\n`\n${b}\n` c");
  assert.deepEqual(
    tokens.filter(({ kind }) => kind === "word").map(({ text, line }) => [text, line]),
    [
      ["a", 3],
      ["b", 5],
      ["c", 6],
    ],
  );
});

test("readSource() finds every kind of import and nothing else", () => {
  const text = `
    import a from "a"; import { b, type c } from "b";
    import * as d from "d";
    import "e";
    import type { f } from "f";
    import {
      g,
    } from "g";
    export { h } from "h"; export * from "i"; export type { j } from "j"; export * as k from "k";
    const l = await import("l"); type M = import("m").M; const n = import(name);
    // import "x1"
    const o = 'import "x2"'; const p = import.meta.url; q.import("x3");
    export const from = "x4"; export { o }; export default p; export function r(from = "x5") {}
  `;
  const { imports } = readSource("x.ts", text);
  assert.equal(imports.map(({ from }) => from).join(" "), "a b d e f g h i j k l m ?");
  assert.equal(imports.filter(({ isDynamic }) => isDynamic).length, 3);
});

test("readSource() sees in our own files each import that a plain look at the lines sees", () => {
  let seen = 0;
  for (const { path, text, imports } of readTree()) {
    const found = imports.map(({ from }) => from);
    // A line that stands at the margin and ends so is an import, unless it is part of a text: those are indented.
    for (const [, from] of text.matchAll(/^(?:import|export|\}).*? from "([^"]+)";$/gm)) {
      assert.ok(found.includes(from as string), `${path} imports "${from}"`);
      seen++;
    }
  }
  assert.ok(seen > 0, "there are imports in the tree");
});

test("functionsOf() finds functions, methods and arrows with their length", () => {
  const text = `function a(): void {
    if (x) {
      y();
    }
  }
  class B extends C {
    constructor(private readonly d: { e: number }) {
      super();
    }
    get #f(): { g: number; h: string[] } {
      return {};
    }
    async i<T>(j: () => void): Promise<Map<string, T>> {
      const k = (l: number): number => {
        return l;
      };
      for (const m of n) {
      }
    }
  }
  const o = async () => {
  };
  const p = { q: 1, r() {}, s: (t) => {} };
  switch (u) { case "v": { break; } default: { } }
  try { } catch (w) { } finally { }`;
  const spans = functionsOf(readSource("x.ts", text)).map(({ name, lineCount }) => `${name} ${lineCount}`);
  assert.deepEqual(spans, ["a 5", "constructor 3", "#f 3", "i 7", "k 3", "o 2", "r 1", "s 1"]);
});
