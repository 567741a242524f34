import assert from "node:assert/strict";
import { test } from "node:test";
import { OPTIONS } from "../../test/simulation/one-member.ts";
import { SimDisk } from "../../test/simulation/world/disk.ts";
import { LogLines } from "../../test/support/settling.ts";
import { utf8Text } from "../base/bytes.ts";
import { Prng } from "../base/prng.ts";
import { ConfChange, ConfChangeType, ConfState, EntryType } from "../proto/raftpb.ts";
import { Metadata } from "../proto/walpb.ts";
import { Wal } from "../wal/wal.ts";
import { bootstrap } from "./bootstrap.ts";
import { BootstrapError } from "./bootstrap-result.ts";
import { makeDurableFolder } from "./durable-folder.ts";
import type { MemberOptions } from "./options.ts";

const FOLDER = OPTIONS.walFolder;

function opened() {
  const disk = new SimDisk({ prng: new Prng(1) });
  const logger = new LogLines();
  makeDurableFolder(disk, "/data");
  const start = (storeIndex = 0, options: Partial<MemberOptions> = {}) =>
    bootstrap({ ...OPTIONS, ...options }, disk, storeIndex, logger);
  return { disk, logger, start };
}

/** The sentence of a refusal to start. */
function refusal(start: () => unknown): string {
  try {
    start();
  } catch (error) {
    assert.ok(error instanceof BootstrapError, String(error));
    return error.message;
  }
  return "none";
}

/** A log with entries up to `last`, and a snapshot at `snapshotIndex` if above 0. */
function placeLog(disk: SimDisk, last: number, snapshotIndex = 0): void {
  const wal = Wal.create(disk, FOLDER, Metadata.encode({ nodeId: 5n, clusterId: 6n }));
  for (let index = 1; index <= last; index++)
    wal.save({ term: 2, vote: 5n, commit: index }, [
      { type: EntryType.NORMAL, term: 2, index, data: new Uint8Array() },
    ]);
  const confState = ConfState.create({ voters: [5n] });
  if (snapshotIndex > 0) wal.saveSnapshot({ index: snapshotIndex, term: 2, confState });
  wal.close();
}

// ---- a new cluster -------------------------------------------------------------------------------------------------------

test("a new cluster begins with its member's addition, committed from the start, durable before anything is done", () => {
  const { disk, logger, start } = opened();
  const { memberId, clusterId, log, snapshotIndex } = start();
  assert.equal(snapshotIndex, 0);
  assert.deepEqual(log.hardState, { term: 1, vote: 0n, commit: 1 });
  assert.deepEqual([log.firstIndex(), log.lastIndex()], [1, 1]);
  const [entry] = log.entries(1, 2, Number.POSITIVE_INFINITY);
  assert.deepEqual([entry?.type, entry?.term, entry?.index], [EntryType.CONF_CHANGE, 1, 1]);
  const change = ConfChange.decode(entry?.data ?? new Uint8Array());
  assert.deepEqual([change.type, change.nodeId], [ConfChangeType.ADD_NODE, memberId]);
  assert.equal(utf8Text(change.context), `{"id":${memberId},"peerURLs":["http://127.0.0.1:2380"],"name":"one"}`);
  assert.deepEqual(logger.of("info"), ["starting a new cluster"]);
  disk.crash();
  const again = start();
  assert.deepEqual([again.memberId, again.clusterId], [memberId, clusterId]);
  assert.deepEqual(again.log.hardState, { term: 1, vote: 0n, commit: 1 });
  assert.deepEqual(again.log.entries(1, 2, Number.POSITIVE_INFINITY), [entry]);
});

test("the ids follow from the peer URLs and the token alone", () => {
  const id = (options: Partial<MemberOptions>) => opened().start(0, options).memberId;
  const { memberId, clusterId } = opened().start();
  assert.equal(id({}), memberId);
  assert.equal(id({ clientUrls: ["http://elsewhere"] }), memberId);
  assert.notEqual(id({ clusterToken: "another" }), memberId);
  assert.notEqual(id({ initialCluster: new Map([["one", ["http://other:2380"]]]) }), memberId);
  assert.notEqual(memberId, clusterId);
});

test("a crash at any operation of a beginning leaves a cluster that begins or goes on", () => {
  for (let seed = 1; seed <= 5; seed++) {
    for (let operation = 1; operation < 12; operation++) {
      const disk = new SimDisk({ prng: new Prng(seed) });
      makeDurableFolder(disk, "/data");
      disk.crashAtOperation(operation);
      let failed = false;
      try {
        bootstrap(OPTIONS, disk, 0, new LogLines());
      } catch {
        failed = true;
      }
      disk.crash();
      const { log } = bootstrap(OPTIONS, disk, 0, new LogLines());
      assert.equal(log.lastIndex(), 1, `seed ${seed}, operation ${operation}, failed: ${failed}`);
    }
  }
});

test("a member that --initial-cluster does not name is told who is named", () => {
  const { disk, start } = opened();
  const initialCluster = new Map([
    ["two", ["http://2"]],
    ["three", ["http://3"]],
  ]);
  assert.equal(
    refusal(() => start(0, { initialCluster })),
    '--initial-cluster names "two", "three", not this member: add "one=PEER-URL" to it',
  );
  assert.ok(!Wal.exists(disk, FOLDER), "nothing was begun");
});

test("several first members come to the same cluster, each under its own id", () => {
  const initialCluster = new Map([
    ["one", ["http://1"]],
    ["two", ["http://2"]],
    ["three", ["http://3"]],
  ]);
  const started = [...initialCluster.keys()].map((name) => opened().start(0, { name, initialCluster }));
  assert.equal(new Set(started.map(({ clusterId }) => clusterId)).size, 1);
  assert.equal(new Set(started.map(({ memberId }) => memberId)).size, 3);
  const logs = started.map(({ log }) => log.entries(1, 4, 1e6).map(({ data }) => utf8Text(data)));
  assert.deepEqual(logs[0], logs[1]);
  assert.deepEqual(started[0]?.log.hardState, { term: 1, vote: 0n, commit: 3 });
});

test("whoever joins a running cluster takes the id that it has there, and an empty log", () => {
  const { disk, start } = opened();
  const member = (id: bigint, url: string) => ({ id, name: "", peerUrls: [url], clientUrls: [], isLearner: false });
  const joined = { clusterId: 77n, members: [member(5n, "http://1"), member(6n, "http://2")] };
  const initialCluster = new Map([
    ["one", ["http://2"]],
    ["other", ["http://1"]],
  ]);
  const wrong = new Map([...initialCluster, ["other", ["http://9"]]] as [string, string[]][]);
  const few = new Map([["one", ["http://2"]]]);
  assert.match(
    refusal(() => start(0, { joined, initialCluster: few })),
    /names 1 members, and the running cluster has 2: http:\/\/1; http:\/\/2\. .*etcdctl member add/,
  );
  assert.match(
    refusal(() => start(0, { joined, initialCluster: wrong })),
    /"other" has the peer URLs http:\/\/9, but no member of the running cluster has/,
  );
  assert.ok(!Wal.exists(disk, FOLDER), "nothing was begun");
  const { memberId, clusterId, log } = start(0, { joined, initialCluster });
  assert.deepEqual([memberId, clusterId, log.lastIndex()], [6n, 77n, 0]);
  const again = start(0, { joined: undefined, initialCluster });
  assert.deepEqual([again.memberId, again.clusterId, again.log.lastIndex()], [6n, 77n, 0]);
});

// ---- a log that is there ---------------------------------------------------------------------------------------------------

test("a member goes on with the log it finds, whatever the options say of the cluster", () => {
  const { disk, logger, start } = opened();
  placeLog(disk, 9);
  const { memberId, clusterId, log, snapshotIndex } = start(7, { clusterToken: "another", initialCluster: new Map() });
  assert.deepEqual([memberId, clusterId, snapshotIndex], [5n, 6n, 0]);
  assert.deepEqual(log.hardState, { term: 2, vote: 5n, commit: 9 });
  assert.deepEqual([log.firstIndex(), log.lastIndex()], [1, 9]);
  assert.deepEqual(logger.lines[0]?.fields, {
    "cluster-id": "6",
    "local-member-id": "5",
    "commit-index": 9,
    entries: 9,
  });
});

test("after a snapshot the log begins behind it, and says who votes", () => {
  const { disk, start } = opened();
  placeLog(disk, 9, 4);
  const { log, snapshotIndex } = start(4);
  assert.equal(snapshotIndex, 4);
  assert.deepEqual([log.firstIndex(), log.lastIndex(), log.snapshotIndex], [5, 9, 4]);
  assert.deepEqual(log.confState.voters, [5n]);
});

test("a torn record at the end of the log is cut off and told", () => {
  const { disk, logger, start } = opened();
  placeLog(disk, 9);
  const name = disk.list(FOLDER).find((file) => file.endsWith(".wal"));
  const path = `${FOLDER}/${name}`;
  const written = disk.contentOf(path).findLastIndex((byte) => byte !== 0);
  const file = disk.open(path);
  file.truncate(written - 8);
  file.close();
  const { log } = start(3);
  assert.ok(log.lastIndex() >= 8);
  assert.deepEqual(logger.of("warn"), ["cut a torn record off the end of the log"]);
});

test("data without its log is refused", () => {
  const { disk, start } = opened();
  assert.equal(
    refusal(() => start(12)),
    `the data has been applied up to entry 12, but there is no log in "${FOLDER}": ` +
      "give --wal-dir the folder that was used before, or restore the data directory from a copy",
  );
  assert.ok(!Wal.exists(disk, FOLDER), "no new cluster was begun beside the data");
});

test("a log without its data, or with older data, is refused", () => {
  const { disk, start } = opened();
  placeLog(disk, 9, 4);
  for (const storeIndex of [0, 3])
    assert.equal(
      refusal(() => start(storeIndex)),
      `the log in "${FOLDER}" begins after entry 4, but the data has been applied only up to entry ${storeIndex}: ` +
        "the store beside it is missing or older; restore both from the same copy",
    );
  assert.equal(
    refusal(() => start(4)),
    "none",
  );
});

test("a log that is older than its data is refused", () => {
  const { disk, start } = opened();
  placeLog(disk, 9, 4);
  assert.equal(
    refusal(() => start(10)),
    `the data has been applied up to entry 10, but the log in "${FOLDER}" ends at entry 9: ` +
      "it is older than the store beside it; restore both from the same copy",
  );
  assert.equal(
    refusal(() => start(9)),
    "none",
  );
});

test("a log that begins with a snapshot and does not say who votes is refused", () => {
  const { disk, start } = opened();
  const wal = Wal.create(disk, FOLDER, Metadata.encode({ nodeId: 5n, clusterId: 6n }));
  wal.save({ term: 2, vote: 5n, commit: 1 }, [{ type: EntryType.NORMAL, term: 2, index: 1, data: new Uint8Array() }]);
  wal.saveSnapshot({ index: 1, term: 2, confState: ConfState.create() });
  wal.close();
  assert.equal(
    refusal(() => start(1)),
    `the log in "${FOLDER}" begins after entry 1 and does not say who votes: it is damaged; ` +
      "restore it and the store beside it from a copy",
  );
});
