/**
 * The peer protocol with real etcd: a member of ours that has raft and the transport but no store stands in one cluster
 * with two members of etcd. Each of these is killed in turn, so that every write needs our vote or acknowledgement; then
 * ours leads; then it comes back so late that it is sent a snapshot, and sends that one on to a new member of etcd.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { memberIdOf } from "../../server/cluster/ids.ts";
import { MessageType } from "../../server/proto/raftpb.ts";
import { TlsFiles } from "../../server/system/tls-files.ts";
import { PeerCertificates } from "../../server/transport/peer-certificates.ts";
import { CERTIFICATES } from "../support/certificates.ts";
import { LogOnlyMember } from "../support/log-only-member.ts";
import { freePorts, ServerProcess } from "../support/server-process.ts";
import { LogLines } from "../support/settling.ts";
import { requireTool } from "../support/tools.ts";

const TOKEN = "peer-protocol";
/** What a cluster may take to elect a leader and answer again. */
const SETTLE_MS = 20_000;
/** Entries that members of etcd keep behind a snapshot: few, so that a late member is sent one. */
const SNAPSHOT_FLAGS = ["--snapshot-count=20", "--snapshot-catchup-entries=5"];

interface Mixed {
  readonly a: ServerProcess;
  readonly b: ServerProcess;
  readonly ours: LogOnlyMember;
}

for (const [program, version] of [
  ["etcd", "3.7.3"],
  ["etcd-3.6", "3.6.16"],
] as const) {
  test(`two members of ${program} and ours write with any one of them killed`, async (t) => {
    await withCluster(t, program, version, [], async ({ a, b, ours }) => {
      await put(a, "with all", SETTLE_MS);
      await until(() => ours.has("with all"), "our member applies what etcd's leader sends");
      assert.ok((ours.received.get(MessageType.APP) ?? 0) > 0);
      assert.deepEqual(streamsOpened(ours), ["stream Message", "stream MsgApp v2"]);
      await b.stop("SIGKILL");
      await put(a, "without b", SETTLE_MS);
      await until(() => ours.has("without b"), "our member applies without b");
      await b.launch();
      await put(b, "b is back", SETTLE_MS);
      await a.stop("SIGKILL");
      await put(b, "without a", SETTLE_MS);
      await until(() => ours.has("without a"), "our member applies without a");
      await a.launch();
      assert.equal(await get(a, "without b", SETTLE_MS), "without b");
      assert.equal(await get(a, "without a", SETTLE_MS), "without a");
      assert.equal(ours.wasRemoved, false);
      t.diagnostic(`${ours.applied.length} entries; messages by type ${JSON.stringify([...ours.received])}`);
    });
  });

  test(`our member leads two members of ${program}, and answers what they ask a leader`, async (t) => {
    await withCluster(t, program, version, [], async ({ a, b, ours }) => {
      await put(a, "before", SETTLE_MS);
      await makeLeader(a, b, ours);
      for (let n = 0; n < 100; n++) await put(n % 2 === 0 ? a : b, `led by us ${n}`, SETTLE_MS);
      await put(a, "large".padEnd(1_200_000, "."), SETTLE_MS);
      await until(() => ours.has("led by us 99"), "what followers pass on to us is committed");
      assert.equal(await get(b, "led by us 0", SETTLE_MS), "led by us 0");
      await b.stop("SIGKILL");
      await put(a, "two are enough", SETTLE_MS);
      await b.launch();
      assert.equal(await get(b, "two are enough", SETTLE_MS), "two are enough");
      assert.equal(ours.node.isLeader, true, "leadership stayed with us");

      const granted = await call(a, "/v3/lease/grant", { ID: "4711", TTL: "60" });
      assert.equal(granted["ID"], "4711");
      const lease = await call(a, "/v3/lease/timetolive", { ID: "4711", keys: true });
      assert.deepEqual([lease["ID"], lease["TTL"], lease["grantedTTL"]], ["4711", "41", "99"]);
      assert.deepEqual(lease["keys"], [base64("of the lease")]);
      const alive = (await call(a, "/v3/lease/keepalive", { ID: "4711" }))["result"] as Record<string, unknown>;
      assert.deepEqual([alive["ID"], alive["TTL"]], ["4711", "77"]);
      for (const question of ["version", "leaseTimeToLive 4711", "leaseRenew 4711"])
        assert.ok(ours.questions.includes(question), `etcd asked "${question}"`);
      t.diagnostic(`questions: ${[...new Set(ours.questions)].join(", ")}; ${ours.lost} reports of loss`);
    });
  });

  test(`${program} answers what our member asks`, async (t) => {
    await withCluster(t, program, version, [], async ({ a, b, ours }) => {
      await put(a, "hashed", SETTLE_MS);
      const status = await call(a, "/v3/maintenance/status", {});
      const [leader, follower] = status["leader"] === idOf(a) ? [a, b] : [b, a];
      const [url, other] = [peerUrlOf(leader), peerUrlOf(follower)];
      const { server } = await ours.ask(url, "version", undefined);
      assert.equal(server, version);
      const { clusterId, members } = await ours.ask(url, "members", undefined);
      assert.equal(clusterId, ours.clusterId);
      assert.deepEqual(members.map(({ id }) => id.toString()).sort(), [idOf(a), idOf(b), ours.id.toString()].sort());
      assert.equal(await ours.ask(url, "downgradeEnabled", undefined), false);

      const hash = await ours.ask(url, "hashKv", { revision: 0 });
      const told = await call(leader, "/v3/maintenance/hash", {});
      assert.deepEqual(hash, await ours.ask(other, "hashKv", { revision: hash.hashRevision }));
      assert.equal(String(hash.revision), (told["header"] as { revision: string }).revision);
      await assert.rejects(ours.ask(url, "hashKv", { revision: 999 }), { code: "FutureRevision" });
      await put(a, "hashed", SETTLE_MS);
      await call(leader, "/v3/kv/compaction", { revision: hash.revision + 1 });
      await assert.rejects(ours.ask(url, "hashKv", { revision: 1 }), { code: "Compacted" });

      await call(leader, "/v3/lease/grant", { ID: "4711", TTL: "60" });
      await call(leader, "/v3/kv/put", { key: base64("leased"), value: "", lease: "4711" });
      assert.equal(await ours.ask(url, "leaseRenew", { id: 4711n }), 60);
      const lease = await ours.ask(url, "leaseTimeToLive", { id: 4711n, keys: true });
      assert.equal(lease.grantedTtlSeconds, 60);
      assert.deepEqual(
        lease.keys.map((key) => Buffer.from(key).toString()),
        ["leased"],
      );
      await assert.rejects(ours.ask(url, "leaseRenew", { id: 1n }), { code: "LeaseNotFound" });
      await assert.rejects(ours.ask(url, "leaseTimeToLive", { id: 1n, keys: false }), { code: "LeaseNotFound" });
      await assert.rejects(ours.ask(other, "leaseRenew", { id: 4711n }), { code: "NotPrimaryLessor" });

      await assert.rejects(ours.ask(url, "promote", { id: 42n, token: "" }), { code: "MemberNotFound" });
      await assert.rejects(ours.ask(url, "promote", { id: ours.id, token: "" }), { code: "MemberNotLearner" });
    });
  });

  test(`${program} tells our member that it was removed`, async (t) => {
    await withCluster(t, program, version, [], async ({ a, ours }) => {
      await put(a, "before", SETTLE_MS);
      const request = { ID: ours.id.toString() };
      await settling(() => call(a, "/v3/cluster/member/remove", request), SETTLE_MS);
      await until(() => ours.wasRemoved, "it learns of it");
      await put(a, "after", SETTLE_MS);
      assert.equal(ours.has("after"), false);
    });
  });

  test(`a member of ${program} that ours takes for removed stops`, async (t) => {
    await withCluster(t, program, version, [], async ({ a, b, ours }) => {
      await put(a, "before", SETTLE_MS);
      ours.refuse(BigInt(idOf(b)));
      await b.exited;
      assert.match(b.log, /the member has been permanently removed from the cluster/);
      await put(a, "after", SETTLE_MS);
      await until(() => ours.has("after"), "the others go on");
    });
  });

  test(`members of ${program} and ours talk under certificates, by common name`, async (t) => {
    await withSecureCluster(t, program, version, async ({ a, b, ours }) => {
      await put(a, "secret", SETTLE_MS);
      await until(() => ours.has("secret"), "our member applies what etcd's leader sends");
      assert.deepEqual(streamsOpened(ours), ["stream Message", "stream MsgApp v2"]);
      await b.stop("SIGKILL");
      await put(a, "secret of two", SETTLE_MS);
      const plain = await fetch(`http://127.0.0.1:${a.peerPort}/version`).catch((error: unknown) => error);
      assert.ok(!(plain instanceof Response) || plain.status === 400, "the peer port takes TLS alone");
    });
  });

  test(`a snapshot comes in from ${program} and goes out to a new member of it`, async (t) => {
    await withCluster(t, program, version, SNAPSHOT_FLAGS, async ({ a, b, ours }) => {
      await put(a, "before", SETTLE_MS);
      await until(() => ours.has("before"), "our member is in");
      const learner = await addLearner(t, a, program);
      try {
        await ours.disconnect();
        for (let n = 0; n < 60; n++) await put(a, `missed ${n}`, SETTLE_MS);
        await ours.connect();
        await until(() => ours.database.length > 0, "our member is sent a snapshot");
        await until(() => ours.received.get(MessageType.SNAP) === 1, "and its message");
        assert.equal(ours.database.length % 4096, 0);
        assert.equal(Buffer.from(ours.database).readUInt32LE(16), 0xed0cdaed, "a bbolt file");
        await put(b, "after the snapshot", SETTLE_MS);
        await until(() => ours.has("after the snapshot"), "our member goes on from it");

        await makeLeader(a, b, ours);
        await learner.launch();
        await until(() => ours.snapshotsSent.length > 0, "what became of our snapshot is known");
        assert.deepEqual(ours.snapshotsSent, [true]);
        await until(
          async () => (await localGet(learner, "after the snapshot")) === "after the snapshot",
          "it is level",
        );
        assert.equal(await localGet(learner, "missed 30"), "missed 30");
        t.diagnostic(`${ours.database.length} bytes`);
      } finally {
        await learner.remove();
      }
    });
  });
}

function withSecureCluster(
  t: TestContext,
  program: string,
  version: string,
  body: (cluster: Mixed) => Promise<void>,
): Promise<void> {
  const flags = [
    `--peer-cert-file=${CERTIFICATES.serverCert}`,
    `--peer-key-file=${CERTIFICATES.serverKey}`,
    `--peer-trusted-ca-file=${CERTIFICATES.ca}`,
    "--peer-client-cert-auth",
    "--peer-cert-allowed-cn=kvorum-test-server",
  ];
  const logger = new LogLines();
  const files = {
    certFile: CERTIFICATES.serverCert,
    keyFile: CERTIFICATES.serverKey,
    trustedCaFile: CERTIFICATES.ca,
    minVersion: "TLSv1.2",
    maxVersion: "TLSv1.3",
    ciphers: undefined,
  } as const;
  const certificates = new PeerCertificates({
    server: new TlsFiles(files, logger),
    isClientRequired: true,
    allowedCommonNames: ["kvorum-test-server"],
    logger,
  });
  return withCluster(t, program, version, flags, body, certificates);
}

async function withCluster(
  t: TestContext,
  program: string,
  serverVersion: string,
  flags: readonly string[],
  body: (cluster: Mixed) => Promise<void>,
  certificates?: PeerCertificates,
): Promise<void> {
  const path = requireTool(t, program);
  if (path === undefined) return;
  const [aFlags, bFlags]: [string[], string[]] = [[], []];
  const a = await ServerProcess.prepare({ command: [path], flags: aFlags });
  const b = await ServerProcess.prepare({ command: [path], flags: bFlags });
  const [port] = await freePorts(1);
  const scheme = certificates === undefined ? "http" : "https";
  const urlOf = (peerPort: number | undefined) => `${scheme}://127.0.0.1:${peerPort}`;
  const members = [
    { name: "a", peerUrl: urlOf(a.peerPort) },
    { name: "b", peerUrl: urlOf(b.peerPort) },
    { name: "ours", peerUrl: urlOf(port) },
  ];
  const cluster = members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(",");
  const common = [`--initial-cluster=${cluster}`, `--initial-cluster-token=${TOKEN}`, ...flags];
  for (const { server, name, own } of [
    { server: a, name: "a", own: aFlags },
    { server: b, name: "b", own: bFlags },
  ]) {
    const url = urlOf(server.peerPort);
    own.push(`--name=${name}`, `--listen-peer-urls=${url}`, `--initial-advertise-peer-urls=${url}`, ...common);
  }
  const ours = new LogOnlyMember({ name: "ours", members, token: TOKEN, serverVersion, certificates });
  try {
    await ours.connect();
    await Promise.all([a.launch(), b.launch()]);
    await body({ a, b, ours });
  } catch (error) {
    t.diagnostic(
      ours.log.lines
        .slice(-30)
        .map((line) => JSON.stringify(line))
        .join("\n"),
    );
    t.diagnostic(a.log.slice(-4000));
    throw error;
  } finally {
    await ours.disconnect();
    await Promise.all([a.remove(), b.remove()]);
  }
}

/** A learner that is a member and does not run yet. */
async function addLearner(t: TestContext, through: ServerProcess, program: string): Promise<ServerProcess> {
  const flags: string[] = [];
  const path = requireTool(t, program) as string;
  const learner = await ServerProcess.prepare({ command: [path], flags });
  const peerUrl = `http://127.0.0.1:${learner.peerPort}`;
  // Only once all members have been connected for 5 s does etcd change them.
  const request = { peerURLs: [peerUrl], isLearner: true };
  const added = await settling(() => call(through, "/v3/cluster/member/add", request), SETTLE_MS);
  const members = (added["members"] as { ID: string; name?: string; peerURLs: string[] }[]).map(
    ({ name, peerURLs }) => `${name ?? (peerURLs[0] === peerUrl ? "learner" : "ours")}=${peerURLs[0]}`,
  );
  flags.push("--name=learner", "--initial-cluster-state=existing", `--initial-cluster=${members.join(",")}`);
  return learner;
}

async function makeLeader(a: ServerProcess, b: ServerProcess, ours: LogOnlyMember): Promise<void> {
  const status = await call(a, "/v3/maintenance/status", {});
  const leader = status["leader"] === idOf(a) ? a : b;
  await call(leader, "/v3/maintenance/transfer-leadership", { targetID: ours.id.toString() });
  await until(() => ours.node.isLeader, "our member leads");
}

function peerUrlOf(server: ServerProcess): string {
  return `http://127.0.0.1:${server.peerPort}`;
}

function idOf(server: ServerProcess): string {
  return memberIdOf([peerUrlOf(server)], TOKEN).toString();
}

/** The streams that our member has read from, of all members, by name. */
function streamsOpened(ours: LogOnlyMember): string[] {
  const names = ours.log.lines
    .filter(({ message }) => message === "established TCP streaming connection with remote peer")
    .map(({ fields }) => fields["stream-reader-type"]);
  return [...new Set(names.filter((name) => typeof name === "string"))].sort();
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

async function call(server: ServerProcess, path: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(server.url + path, {
    method: "POST",
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
  return JSON.parse(text) as Record<string, unknown>;
}

/** Repeats `attempt` while the cluster is between leaders. */
async function settling<T>(attempt: () => Promise<T>, limitMs: number): Promise<T> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** A key with itself as its value. */
async function put(server: ServerProcess, key: string, limitMs: number): Promise<void> {
  const body = { key: base64(key.slice(0, 100)), value: base64(key) };
  await settling(() => call(server, "/v3/kv/put", body), limitMs);
}

function get(server: ServerProcess, key: string, limitMs: number): Promise<string | undefined> {
  return settling(async () => valueIn(await call(server, "/v3/kv/range", { key: base64(key) })), limitMs);
}

/** From the server's own store, whoever leads. */
async function localGet(server: ServerProcess, key: string): Promise<string | undefined> {
  try {
    return valueIn(await call(server, "/v3/kv/range", { key: base64(key), serializable: true }));
  } catch {
    return undefined;
  }
}

function valueIn(answer: Record<string, unknown>): string | undefined {
  const [kv] = (answer["kvs"] ?? []) as { value: string }[];
  return kv === undefined ? undefined : Buffer.from(kv.value, "base64").toString();
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + SETTLE_MS;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `${what}: not within ${SETTLE_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
