/**
 * The rules of the house, held. Each rule is first shown files that break it and must say so, and files that only look
 * as if they did and must not; then it is held against the tree.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PACKAGES, ROOMS, TOP_ROOMS } from "./rooms.ts";
import { check, isTest, RULES, type Rule } from "./rules.ts";
import { functionsOf, readSource, type SourceFile } from "./scan.ts";
import { readTree } from "./tree.ts";

/** A file as it would be written, its opening comment left out below. */
const file = (path: string, code: string): SourceFile => readSource(path, `/** What it is for. */\n${code}\n`);

/** Files that imports below may name. */
const NEIGHBOURS = [
  "server/base/bytes.ts",
  "server/lease/lessor.ts",
  "server/mvcc/store.ts",
  "test/support/tools.ts",
].map((path) => file(path, ""));

/** For each rule: what must be found, and what must not. */
const PLANTED: Readonly<Record<string, { readonly wrong: SourceFile[]; readonly right: SourceFile[] }>> = {
  "every room is in the table": {
    wrong: [file("server/attic/box.ts", ""), file("server/loose.ts", ""), file("operator/attic/box.ts", "")],
    right: [file("server/mvcc/store.ts", ""), file("server/cli/main.ts", ""), file("test/house/x.ts", "")],
  },
  "a room imports only what the table allows": {
    wrong: [
      file("server/mvcc/a.ts", 'import { Lessor } from "../lease/lessor.ts";'),
      file("server/mvcc/b.ts", 'import type { Lessor } from "../lease/lessor.ts";'),
      file("server/mvcc/c.ts", 'export type { Lessor } from "../lease/lessor.ts";'),
      file("server/mvcc/d.ts", 'export type Lessor = import("../lease/lessor.ts").Lessor;'),
      file("server/raft/a.ts", 'import { x } from "../ports/clock.ts";'),
      file("server/base/a.ts", 'import { Store } from "../mvcc/store.ts";'),
      file("server/services/a.ts", 'import { x } from "../cli/compose.ts";'),
      file("server/mvcc/e.ts", 'import { findTool } from "../../test/support/tools.ts";'),
      file("server/mvcc/f.test.ts", 'import { x } from "../cli/compose.ts";'),
      file("server/mvcc/g.ts", 'import { x } from "../../other/x.ts";'),
      file("operator/plan/a.ts", 'import { x } from "../runtime/kube.ts";'),
      file("operator/cluster/a.ts", 'import { x } from "../../server/cli/compose.ts";'),
      file("operator/cli/a.ts", 'import { x } from "../../server/cli/compose.ts";'),
      file("server/client/a.ts", 'import { x } from "../../operator/api/names.ts";'),
    ],
    right: [
      file("server/mvcc/a.ts", 'import { x } from "../base/bytes.ts";\nimport { y } from "./store.ts";'),
      file(
        "server/mvcc/b.ts",
        '// import { Lessor } from "../lease/lessor.ts";\nconst x = `import "../lease/lessor.ts"`;',
      ),
      file("server/mvcc/c.test.ts", 'import { findTool } from "../../test/support/tools.ts";'),
      file("server/cli/a.ts", 'import { Lessor } from "../lease/lessor.ts";'),
      file("operator/cli/a.ts", 'import { Lessor } from "../../server/lease/lessor.ts";'),
      file("operator/plan/a.ts", 'import { bytes } from "../../server/base/bytes.ts";'),
      file("test/house/a.ts", 'import { Lessor } from "../../server/lease/lessor.ts";'),
    ],
  },
  "an import names a file that exists": {
    wrong: [
      file("server/mvcc/a.ts", 'import { x } from "../base/byte.ts";'),
      file("server/mvcc/b.ts", 'import { x } from "../base/bytes";'),
      file("server/mvcc/c.ts", "const x = await import(name);"),
    ],
    right: [file("server/mvcc/a.ts", 'import { x } from "../base/bytes.ts";')],
  },
  "a package is imported only where it belongs": {
    wrong: [
      file("server/mvcc/a.ts", 'import { open } from "lmdb";'),
      file("server/mvcc/a.test.ts", 'import { open } from "lmdb";'),
      file("server/rpc/bind.ts", 'import * as grpc from "@grpc/grpc-js";'),
      file("server/rpc/b.ts", 'import { x } from "@grpc/grpc-js/build/src/call.js";'),
      file("server/gateway/a.ts", 'import { Registry } from "prom-client";'),
      file("server/base/heap.ts", 'import BTree from "sorted-btree";'),
      file("server/proto/wire.ts", 'import protobuf from "protobufjs";'),
      file("test/house/a.ts", 'import chalk from "chalk";'),
      file("server/cli/main.ts", 'import { x } from "left-pad/sub";'),
    ],
    right: [
      file("server/storage/a.ts", 'import { open } from "lmdb";'),
      file("server/rpc/bind-grpc-js.ts", 'import * as grpc from "@grpc/grpc-js";'),
      file("server/proto/wire.test.ts", 'import protobuf from "protobufjs/light.js";'),
      file("server/system/a.ts", 'import fs from "node:fs";'),
    ],
  },
  "a file of a program is used by a program": {
    wrong: [
      file("server/raft/a.ts", ""),
      file("server/cli/launch.ts", 'import "./main.ts";'),
      file("operator/plan/a.ts", ""),
    ],
    right: [
      file("server/cli/main.ts", 'import "../base/bytes.ts"; import "../lease/lessor.ts"; import "../mvcc/store.ts";'),
    ],
  },
  "pure and simulated rooms do not touch the world": {
    wrong: [
      file("server/raft/a.ts", "const at = Date.now();"),
      file("server/raft/b.ts", "let since: Date | undefined;"),
      file("server/raft/c.ts", "const x = Math.random();"),
      file("server/raft/d.ts", "const { random } = Math;"),
      file("server/raft/e.ts", "setTimeout(f, 1);"),
      file("server/raft/f.ts", 'import { readFileSync } from "node:fs";'),
      file("server/raft/g.ts", "const at = performance.now();"),
      file("server/raft/h.ts", "const x = process.env;"),
      file("server/raft/i.ts", "const x = `${process.pid}`;"),
      file("server/raft/j.ts", "const x = globalThis.Date;"),
      file("server/raft/k.ts", "const x = import.meta.url;"),
      file("server/raft/l.ts", "names.sort((a, b) => a.localeCompare(b));"),
      file("server/raft/m.ts", 'const x = await import("./a.ts");'),
      file("server/raft/n.ts", "const x = isReady ? Date : undefined;"),
      file("server/member/a.ts", "const at = Date.now();"),
      file("server/services/a.ts", "setInterval(f, 1);"),
      file("server/wal/a.ts", "const x = Buffer.alloc(1);"),
      file("server/base/digest.ts", 'import { randomBytes } from "node:fs";'),
    ],
    right: [
      file("server/raft/a.ts", "// Date.now() is not asked\nconst text = 'Date.now()';"),
      file("server/raft/b.ts", "interface X { process: number; Date?: string; }\nconst y = x.process + x?.Date;"),
      file("server/raft/c.ts", "const x = Math.max(1, 2);"),
      file("server/raft/d.ts", "const isWord = /Date|process/.test(text);"),
      file("server/raft/e.test.ts", 'import { readFileSync } from "node:fs";\nconst at = Date.now();'),
      file("server/base/digest.ts", 'import { createHash } from "node:crypto";'),
      file("server/base/bytes.ts", "const x = Buffer.alloc(1);"),
      file("server/system/clock.ts", "const at = Date.now();"),
    ],
  },
  "pure rooms never wait": {
    wrong: [
      file("server/apply/a.ts", "async function f() {}"),
      file("server/apply/b.ts", "const f = async () => {};"),
      file("server/apply/c.ts", "function f(): Promise<void> {}"),
      file("server/apply/d.ts", "for await (const x of y) {}"),
      file("server/apply/e.ts", "class A { async run() {} }"),
      file("server/ports/a.ts", "async function f() {}"),
    ],
    right: [
      file("server/ports/a.ts", "export interface Disk { sync(): Promise<void>; }"),
      file("server/wal/a.ts", "async function f(): Promise<void> { await g(); }"),
      file("server/apply/a.test.ts", "async function f() {}"),
      file("server/apply/b.ts", "interface Options { async: boolean }\nconst x = options.async;"),
    ],
  },
  "a file begins by saying what it is for": {
    wrong: [
      readSource("server/raft/a.ts", "export const x = 1;\n/** Late. */"),
      readSource("test/x/a.test.ts", "x();"),
    ],
    right: [
      readSource("server/raft/a.ts", "/** For this. */\nexport const x = 1;"),
      readSource("server/cli/b.ts", "#!/usr/bin/env node\n/** For this. */"),
      readSource("server/raft/a.test.ts", "x();"),
    ],
  },
  "no file is beyond reading": {
    wrong: [file("server/raft/a.ts", "x();\n".repeat(1500))],
    right: [file("server/raft/a.ts", "x();\n".repeat(1000))],
  },
  "work left undone is no comment": {
    wrong: ["TO" + "DO later", "FIX" + "ME", "@ts-" + "ignore"].map((text) => file("server/raft/a.ts", `// ${text}`)),
    right: [file("server/raft/a.ts", "// What is to do stands in an issue.")],
  },
};

const found = (rule: Rule, planted: SourceFile): string[] =>
  check(rule, [planted, ...NEIGHBOURS.filter(({ path }) => path !== planted.path)]);

for (const [name, rule] of Object.entries(RULES)) {
  test(`the rule "${name}" finds what is planted and nothing else`, () => {
    const planted = PLANTED[name];
    assert.ok(planted !== undefined && planted.wrong.length > 0 && planted.right.length > 0, "the rule is proven");
    for (const one of planted.wrong) assert.notDeepEqual(found(rule, one), [], `${one.path} with ${one.text}`);
    for (const one of planted.right) assert.deepEqual(found(rule, one), [], `${one.path} with ${one.text}`);
    assert.notDeepEqual(check(rule, []), [], "no files are no proof");
  });

  test(`house: ${name}`, () => {
    assert.deepEqual(check(rule, readTree()), []);
  });
}

test("the table of rooms knows only rooms, and no room knows itself by a detour", () => {
  const reaches = (from: string, to: string, way: readonly string[] = []): boolean =>
    (ROOMS[from]?.imports ?? []).some(
      (next) => next === to || (!way.includes(next) && reaches(next, to, [...way, next])),
    );
  for (const [name, { imports }] of Object.entries(ROOMS)) {
    for (const other of imports) assert.ok(ROOMS[other] !== undefined, `${name} imports ${other}, which is no room`);
    assert.ok(!reaches(name, name), `${name} is imported by what it imports`);
    for (const top of TOP_ROOMS) assert.ok(!imports.includes(top), `${name} imports ${top}`);
  }
});

test("a pure room imports pure rooms only", () => {
  for (const [name, { imports, world }] of Object.entries(ROOMS))
    for (const other of world === "pure" ? imports : [])
      assert.equal(ROOMS[other]?.world, "pure", `${name} imports ${other}`);
});

test("the tree is not empty, and all packages of the table are in use", () => {
  const tree = readTree();
  assert.ok(tree.some(({ path }) => path.startsWith("server/")) && tree.some(({ path }) => isTest(path)));
  for (const name of Object.keys(PACKAGES)) {
    const isUsed = tree.some(({ imports }) => imports.some(({ from }) => from === name || from.startsWith(`${name}/`)));
    assert.ok(isUsed, `nobody imports ${name}`);
  }
});

test("the ten longest files and functions, for whoever reads this", (t) => {
  const product = readTree().filter(({ path }) => !isTest(path));
  const files = product.map(({ path, lineCount }) => ({ what: path, lineCount }));
  const functions = product.flatMap((source) =>
    functionsOf(source).map(({ name, line, lineCount }) => ({ what: `${source.path}:${line} ${name}`, lineCount })),
  );
  assert.ok(files.length > 0 && functions.length > 0);
  for (const list of [files, functions]) {
    list.sort((a, b) => b.lineCount - a.lineCount);
    for (const { what, lineCount } of list.slice(0, 10)) t.diagnostic(`${String(lineCount).padStart(5)}  ${what}`);
  }
});
