import assert from "node:assert/strict";
import { test } from "node:test";
import { compareVersions, lowestVersion, pathFault } from "./versions.ts";

test("compareVersions() goes by numbers", () => {
  assert.ok(compareVersions("0.9.0", "0.10.0") < 0);
  assert.ok(compareVersions("1.0.0", "0.99.99") > 0);
  assert.equal(compareVersions("1.2.3", "1.2.3"), 0);
  assert.equal(lowestVersion(["1.10.0", "1.9.9", "2.0.0"]), "1.9.9");
  assert.equal(lowestVersion([]), undefined);
});

test("pathFault() lets patches move, one minor up, and nothing else, and says where to go instead", () => {
  for (const wanted of ["1.4.0", "1.4.9", "1.5.0", "1.5.7"])
    assert.equal(pathFault("1.4.2", wanted), undefined, wanted);
  assert.match(
    pathFault("1.4.2", "1.6.0") ?? "",
    /1\.6\.0 is more than one minor version above 1\.4\.2.*go to 1\.5\.x first/,
  );
  assert.match(pathFault("1.4.2", "1.3.9") ?? "", /1\.3\.9 is a lower minor version than 1\.4\.2.*1\.4\.x or later/);
  assert.match(pathFault("1.4.2", "2.4.2") ?? "", /another major/);
  assert.match(pathFault("1.4.2", "0.4.2") ?? "", /another major/);
});
