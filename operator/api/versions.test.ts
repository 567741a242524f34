import assert from "node:assert/strict";
import { test } from "node:test";
import { KVORUM_VERSION } from "../../server/config/version.ts";
import { compareVersions, parseVersion, SKEW, supportedMinors, versionProblem } from "./versions.ts";

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
  assert.equal(versionProblem(KVORUM_VERSION), undefined);
  assert.equal(versionProblem("0.1.99"), undefined);
  assert.equal(versionProblem("latest")?.kind, "InvalidSpec");
  const unknown = versionProblem("0.77.0");
  assert.equal(unknown?.kind, "UnsupportedVersion");
  assert.match(unknown?.remedy ?? "", /0\.1.*0\.77/);
});
