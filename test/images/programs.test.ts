/**
 * What `images/programs.json` puts into each image is what its program imports, no more and no less, and the Dockerfile
 * says of itself what is true.
 */
import assert from "node:assert/strict";
import { posix } from "node:path";
import { test } from "node:test";
import { ETCD_VERSION, KVORUM_VERSION } from "../../server/config/version.ts";
import { readText, readTree } from "../house/tree.ts";

interface Program {
  readonly main: string;
  readonly tools?: readonly string[];
  readonly folders: readonly string[];
  readonly packages: readonly string[];
}

const PROGRAMS: Readonly<Record<string, Program>> = JSON.parse(readText("images/programs.json"));
const tree = new Map(readTree().map((file) => [file.path, file]));

/** Files that run when `main` runs, and packages that they import; types leave no trace in what is built. */
function reached(main: string): { readonly files: ReadonlySet<string>; readonly packages: ReadonlySet<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const open = [main];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (files.has(path)) continue;
    files.add(path);
    const source = readText(path);
    for (const [, name = ""] of source.matchAll(/createRequire\(import\.meta\.url\)\("([^"]+)"\)/g)) packages.add(name);
    for (const { from, line } of tree.get(path)?.imports ?? []) {
      if (isTypesOnly(source, line)) continue;
      if (from.startsWith(".")) open.push(posix.join(posix.dirname(path), from));
      else if (!from.startsWith("node:")) packages.add(/^(?:@[^/]+\/)?[^/]+/.exec(from)?.[0] as string);
    }
  }
  return { files, packages };
}

function isTypesOnly(source: string, line: number): boolean {
  return /^(?:import|export) type\b/.test(source.split("\n")[line - 1] ?? "");
}

for (const [name, { main, tools = [], folders, packages }] of Object.entries(PROGRAMS)) {
  const entry = main.replace(/\.js$/, ".ts");
  test(`the image of the ${name} holds the files and packages that its program imports`, () => {
    assert.ok(tree.has(entry), entry);
    const found = reached(entry);
    assert.deepEqual([...found.packages].sort(), [...packages].sort());
    const outside = [...found.files].filter((path) => !folders.some((folder) => path.startsWith(`${folder}/`)));
    assert.deepEqual(outside, []);
    for (const folder of folders)
      assert.ok(
        [...found.files].some((path) => path.startsWith(`${folder}/`)),
        `${folder} is needed`,
      );
    for (const tool of tools) assert.match(readText(`images/${tool}`), /^\/\*\*/);
  });
}

test("the labels of the images name the versions of this tree", () => {
  const dockerfile = readText("Dockerfile");
  const versions = [...dockerfile.matchAll(/^ARG VERSION=(.+)$/gm)].map(([, version]) => version);
  assert.deepEqual(versions, [KVORUM_VERSION, KVORUM_VERSION]);
  assert.match(dockerfile, new RegExp(`etcd-version="${ETCD_VERSION.replaceAll(".", "\\.")}"`));
});

test("the server's image has no USER, the operator's a numeric one, and no start goes through a shell", () => {
  const stages = Object.fromEntries(
    readText("Dockerfile")
      .split(/^FROM /m)
      .slice(1)
      .map((stage) => [/ AS (\S+)/.exec(stage)?.[1], stage]),
  ) as Record<"server" | "operator", string>;
  assert.doesNotMatch(stages.server, /^USER /m);
  assert.match(stages.operator, /^USER 65532:65532$/m);
  for (const stage of [stages.server, stages.operator]) {
    assert.match(stage, /^\$\{RUN_IMAGE\} AS/);
    assert.doesNotMatch(stage, /^RUN /m);
    const starts = [...stage.matchAll(/(?:^|\s)(?:ENTRYPOINT|CMD) (.*)$/gm)].map(([, start = ""]) => start);
    assert.ok(starts.length > 0);
    for (const start of starts) assert.match(start, /^\[/);
  }
});
