import assert from "node:assert/strict";
import { test } from "node:test";
import { readLocalCluster } from "./local-cluster.ts";

test("a local cluster is asked for by --members, with flags for all of its members", () => {
  assert.equal(readLocalCluster(["--name=a"]), undefined);
  assert.deepEqual(readLocalCluster(["--members", "3"]), { members: 3, folder: "kvorum-cluster", flags: [] });
  assert.deepEqual(readLocalCluster(["--members=5", "--data-dir", "d", "--log-level=warn"]), {
    members: 5,
    folder: "d",
    flags: ["--log-level=warn"],
  });
});

test("what makes no sense is refused with the remedy", () => {
  for (const wrong of ["0", "7", "three", ""]) {
    assert.throws(() => readLocalCluster(["--members", wrong]), /must be a number from 1 to 6/);
  }
  assert.throws(() => readLocalCluster(["--members=3", "--name=a"]), /--name=a does not go with --members/);
  assert.throws(() => readLocalCluster(["--members=3", "--listen-peer-urls", "x"]), /each member has one of its own/);
});
