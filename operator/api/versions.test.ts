import assert from "node:assert/strict";
import { test } from "node:test";
import { KVORUM_VERSION } from "../../server/config/version.ts";
import { compareVersions, parseVersion, SKEW, supportedMinors, versionProblem, wayProblem } from "./versions.ts";

const version = (text: string) => {
  const parsed = parseVersion(text);
  assert.ok(parsed !== undefined, text);
  return parsed;
};

test("the skew table ends with this operator, which runs servers of its own release", () => {
  const minor = KVORUM_VERSION.split(".").slice(0, 2).join(".");
  assert.equal(SKEW.at(-1)?.operator, minor);
  assert.equal(supportedMinors().at(-1), minor);
  for (const { servers } of SKEW) assert.ok(servers.length >= 1 && servers.length <= 3);
});

test("parseVersion() takes x.y.z and nothing else", () => {
  assert.deepEqual(parseVersion("10.0.27"), { major: 10, minor: 0, patch: 27 });
  for (const text of ["", "1", "1.2", "v1.2.3", "1.2.3-rc.1", "01.2.3", "1.2.3.4", "1.2.x", "1.2.3 ", "99999.0.0"])
    assert.equal(parseVersion(text), undefined, text);
});

test("compareVersions() compares numbers, not texts", () => {
  const sorted = ["0.9.0", "0.10.0", "0.10.9", "0.10.10", "1.0.0"].map(version);
  for (const [index, later] of sorted.slice(1).entries()) {
    const earlier = sorted[index];
    assert.ok(earlier !== undefined && compareVersions(earlier, later) < 0 && compareVersions(later, earlier) > 0);
    assert.equal(compareVersions(later, { ...later }), 0);
  }
});

test("versionProblem() knows what this operator can run", () => {
  assert.equal(versionProblem(KVORUM_VERSION, undefined), undefined);
  assert.equal(versionProblem("0.1.99", { lowest: "0.1.0", highest: "0.1.0" }), undefined);
  assert.equal(versionProblem("0.1.0", { lowest: "0.1.99", highest: "0.1.99" }), undefined);
  assert.equal(versionProblem("latest", undefined)?.kind, "InvalidSpec");
  const unknown = versionProblem("0.77.0", undefined);
  assert.equal(unknown?.kind, "UnsupportedVersion");
  assert.match(unknown?.remedy ?? "", /0\.1.*0\.77/);
});

test("wayProblem() lets a cluster go one minor up, and about within a minor", () => {
  const allowed = [
    ["1.2.3", "1.2.3"],
    ["1.2.3", "1.2.9"],
    ["1.2.9", "1.2.0"],
    ["1.2.3", "1.3.0"],
    ["1.9.3", "1.10.1"],
  ] as const;
  for (const [from, to] of allowed) assert.equal(wayProblem(version(from), version(to)), undefined, `${from} ${to}`);
});

test("wayProblem() refuses leaps, ways back and other majors, and says where to go", () => {
  const refused = [
    ["1.2.3", "1.4.0", /go to a version of 1\.3 first/],
    ["1.2.3", "1.1.9", /give a version of 1\.2/],
    ["1.2.3", "2.0.0", /give a version of 1\.2/],
    ["1.2.3", "0.2.3", /give a version of 1\.2/],
  ] as const;
  for (const [from, to, remedy] of refused) {
    const problem = wayProblem(version(from), version(to));
    assert.equal(problem?.kind, "UnsupportedVersion", `${from} ${to}`);
    assert.match(problem?.remedy ?? "", remedy);
    assert.match(problem?.wrong ?? "", /members run 1\.2\.3/);
  }
});

test("in the middle of an upgrade the way back to what still runs is open", () => {
  assert.equal(versionProblem("0.1.0", { lowest: "0.1.0", highest: "0.2.0" }), undefined);
});
