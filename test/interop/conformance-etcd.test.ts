/** The conformance suite, unchanged, on real etcd 3.7: what it asks of us is what etcd does. */
import { test } from "node:test";
import { alarmSuite, quotaSuite } from "../conformance/alarm-suite.ts";
import { badInputSuite } from "../conformance/bad-input-suite.ts";
import { compactSuite, firstCompactionSuite } from "../conformance/compact-suite.ts";
import { kvSuite } from "../conformance/kv-suite.ts";
import { leaseSuite } from "../conformance/lease-suite.ts";
import { maintenanceSuite } from "../conformance/maintenance-suite.ts";
import { opsSuite } from "../conformance/ops-suite.ts";
import { settingsSuite } from "../conformance/settings-suite.ts";
import type { Suite } from "../conformance/target.ts";
import { txnSuite } from "../conformance/txn-suite.ts";
import { UNIMPLEMENTED } from "../conformance/unimplemented-suite.ts";
import { watchSuite } from "../conformance/watch-suite.ts";
import { findTool, requireTool } from "../support/tools.ts";

const SUITES: readonly Suite[] = [
  kvSuite,
  txnSuite,
  compactSuite,
  firstCompactionSuite,
  watchSuite,
  leaseSuite,
  settingsSuite,
  maintenanceSuite,
  alarmSuite,
  quotaSuite,
  badInputSuite,
  opsSuite,
];

const etcd = findTool("etcd");
if (etcd === undefined) test("the conformance suite on etcd", (t) => void requireTool(t, "etcd"));
else {
  for (const suite of SUITES) suite({ name: "etcd", command: [etcd] });
  console.log(`not asked of etcd, which answers them: ${UNIMPLEMENTED.map(({ path }) => path).join(" ")}`);
}
