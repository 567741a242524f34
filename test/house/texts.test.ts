/** What people read is true of the tree: links lead somewhere, maps show what is there, package.json names what is used. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { posix } from "node:path";
import { test } from "node:test";
import { KVORUM_VERSION } from "../../server/config/version.ts";
import { projectFolder } from "../support/project.ts";
import { PACKAGES } from "./rooms.ts";
import { pathsBelow, readText } from "./tree.ts";

const exists = (path: string) => existsSync(posix.join(projectFolder, path));

/** Everything that is written by hand, as far as it is text. */
const texts = pathsBelow("").filter((path) => !/\.(bin|db|gz|png|wal|snap|pem|crt|key)$/.test(path));
const pages = texts.filter((path) => path.endsWith(".md"));

/** Places on the machine of whoever wrote something, and the hosts that it fetched from. */
const MACHINE_PATH = /(?<![\w.~-])\/(?:(?:home|Users)\/\w|root\/|work\/(?:main|shared)|tmp\/bash_)/;
const REGISTRY_HOST = /\b(?:registry\.npmjs\.(?:org|com)|proxy\.golang\.org|files\.pythonhosted\.org)\b/;

const lineNumbers = (path: string, pattern: RegExp): string[] =>
  readText(path)
    .split("\n")
    .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : []));

test("no path of one machine and no registry's host stands in the project", () => {
  for (const planted of [`${"/ho"}me/ann/x`, `cd ${"/ro"}ot/x`, `"${"/wo"}rk/main"`])
    assert.match(planted, MACHINE_PATH);
  for (const fine of ["/var/lib/etcd/", "./some/main", "server/root/x", "~/home/x", "$HOME/x"])
    assert.doesNotMatch(fine, MACHINE_PATH);
  assert.match(`https://registry.${"npmjs"}.org/x`, REGISTRY_HOST);
  const self = "test/house/texts.test.ts";
  const seen = texts.filter((path) => path !== self);
  assert.ok(seen.length > 0);
  assert.deepEqual(
    seen.flatMap((path) => [...lineNumbers(path, MACHINE_PATH), ...lineNumbers(path, REGISTRY_HOST)]),
    [],
  );
});

test("a link in a text leads to a file that is there", () => {
  let seen = 0;
  for (const path of pages) {
    for (const [, target = ""] of readText(path).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(?:https?:|mailto:|#)/.test(target)) continue;
      seen++;
      const file = posix.join(posix.dirname(path), target.replace(/#.*$/, ""));
      assert.ok(exists(file), `${path} links to ${target}`);
    }
  }
  assert.ok(seen > 0, "there are links");
});

test("a path named in a text or shown in its map is there", () => {
  let seen = 0;
  for (const path of ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/testing.md"]) {
    for (const [, name = ""] of readText(path).matchAll(/`((?:server|test|docs|\.ci|\.github)\/[\w./-]*)`/g)) {
      seen++;
      assert.ok(exists(name), `${path} names ${name}`);
    }
  }
  assert.ok(seen > 0, "there are paths");
});

test("ARCHITECTURE.md has every room of the server in its table, and no other", () => {
  const rooms = [...readText("ARCHITECTURE.md").matchAll(/^\| `([a-z0-9]+)` \|/gm)].map(([, name]) => name);
  const folders = pathsBelow("server").map((path) => path.split("/")[1]);
  assert.deepEqual(rooms.sort(), [...new Set(folders)].sort());
});

test("README.md is short enough to be read", () => {
  assert.ok(readText("README.md").split("\n").length <= 200);
});

test("CHANGELOG.md begins with what is not released yet", () => {
  assert.match(readText("CHANGELOG.md"), /^# .*\n(?:(?!^## ).*\n)*## Unreleased\n/m);
});

test("decisions are numbered without a gap and say what was faced, chosen, left and what follows", () => {
  const decisions = pathsBelow("docs/decisions");
  assert.ok(decisions.length > 0);
  decisions.forEach((path, index) => {
    assert.match(path, new RegExp(`/${String(index + 1).padStart(4, "0")}-[a-z0-9-]+\\.md$`));
    for (const heading of ["What we faced", "What we chose", "What else there was", "What follows"])
      assert.match(readText(path), new RegExp(`^## ${heading}$`, "m"), path);
  });
});

test("package.json pins what the server ships, names nothing unused, and its scripts start files that are there", () => {
  const { version, dependencies, devDependencies, scripts, license } = JSON.parse(readText("package.json"));
  assert.equal(version, KVORUM_VERSION);
  for (const [name, version] of Object.entries<string>(dependencies)) {
    assert.match(version, /^\d+\.\d+\.\d+$/, `${name} is pinned`);
    assert.ok(
      PACKAGES[name] !== undefined && !PACKAGES[name].every((place) => place === "tests"),
      `${name} is shipped`,
    );
  }
  for (const [name, places] of Object.entries(PACKAGES))
    assert.ok((places.every((place) => place === "tests") ? devDependencies : dependencies)[name] !== undefined, name);
  for (const [name, command] of Object.entries<string>(scripts)) {
    const file = /^(?:exec )?node (\S+)/.exec(command)?.[1];
    assert.ok(file !== undefined && exists(file), `script ${name}: ${command}`);
  }
  assert.equal(license, "Apache-2.0");
  assert.match(readText("LICENSE"), /Apache License\s+Version 2\.0, January 2004/);
});
