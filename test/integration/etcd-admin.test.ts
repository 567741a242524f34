/** What the operator relies on, asked of real members over gRPC: ours as built, and real etcd where there is one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Endpoint, type EndpointTls, EtcdRefusal } from "../../operator/etcd/etcd-admin.ts";
import { GrpcEtcdAdmin } from "../../operator/etcd/grpc-etcd-admin.ts";
import { type ContractCluster, etcdContract } from "../operator/etcd-contract.ts";
import { CA, CERTIFICATES, CLIENT, STRANGE_CA, STRANGE_CLIENT } from "../support/certificates.ts";
import { ClusterProcess } from "../support/cluster-process.ts";
import { freePorts, ServerProcess } from "../support/server-process.ts";
import { findTool } from "../support/tools.ts";

const NAMES = ["one", "two", "three"];
const PATIENCE_MS = 30_000;
/** A cluster that stays without a quorum must say so within the test's patience. */
const FLAGS = ["--election-timeout=500", "--heartbeat-interval=50"];

etcdContract("ours", () => started(undefined));

const etcd = findTool("etcd");
if (etcd !== undefined) etcdContract("etcd", () => started([etcd]));
else test("etcd: the contract", { skip: "no etcd on PATH or among the tools" }, () => undefined);

async function started(command: readonly string[] | undefined): Promise<ContractCluster> {
  const specs = NAMES.map((name) => (command === undefined ? { name } : { name, command }));
  const cluster = await ClusterProcess.start(specs, FLAGS);
  const admin = new GrpcEtcdAdmin();
  const learners: ServerProcess[] = [];
  const endpoints = new Map(cluster.members.map(({ name, server }) => [name, { url: server.url }]));
  const [nowhere] = await freePorts(1);
  return {
    admin,
    endpoints,
    nowhere: { url: `http://127.0.0.1:${nowhere}` },
    peerUrl: async () => `http://127.0.0.1:${(await freePorts(1))[0]}`,
    startLearner: async (name, peerUrl) => {
      const { members } = await admin.members([...endpoints.values()][0] as Endpoint, 5000);
      const initial = members.map((member) => `${member.name || name}=${member.peerUrls[0]}`).join();
      const flags = [
        ...FLAGS,
        `--name=${name}`,
        `--listen-peer-urls=${peerUrl}`,
        `--initial-advertise-peer-urls=${peerUrl}`,
        `--initial-cluster=${initial}`,
        "--initial-cluster-state=existing",
      ];
      const server = await ServerProcess.start({ flags, ...(command === undefined ? {} : { command }) });
      learners.push(server);
      return { url: server.url };
    },
    stop: async (name) => {
      await cluster.members.find((member) => member.name === name)?.server.stop("SIGKILL");
    },
    eventually,
    remove: async () => {
      admin.close();
      await Promise.all(learners.map((server) => server.remove()));
      await cluster.remove();
    },
  };
}

async function eventually<T>(what: string, action: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (performance.now() > deadline)
        throw new Error(`not within ${PATIENCE_MS / 1000} s: ${what}`, { cause: error });
      await sleep(100);
    }
  }
}

test("over TLS a member is known by its name, whatever address it has, and knows the operator by its certificate", async (t) => {
  const flags = [
    `--cert-file=${CERTIFICATES.serverCert}`,
    `--key-file=${CERTIFICATES.serverKey}`,
    `--trusted-ca-file=${CERTIFICATES.ca}`,
    "--client-cert-auth",
  ];
  const server = await ServerProcess.start({ flags, scheme: "https" });
  const admin = new GrpcEtcdAdmin();
  t.after(() => server.remove());
  t.after(() => admin.close());
  const shown = { ca: CA, certificate: CLIENT.cert, key: CLIENT.key };
  const endpoint = (serverName: string, tls: EndpointTls) => ({ url: server.url, serverName, tls });
  await admin.probe(endpoint("localhost", shown), 5000);
  const wrong: readonly (readonly [string, Endpoint])[] = [
    ["another name", endpoint("other.example", shown)],
    ["another authority", endpoint("localhost", { ...shown, ca: STRANGE_CA })],
    ["no certificate", endpoint("localhost", { ca: CA })],
    [
      "a stranger's certificate",
      endpoint("localhost", { ca: CA, certificate: STRANGE_CLIENT.cert, key: STRANGE_CLIENT.key }),
    ],
    ["plain", { url: server.url.replace("https", "http") }],
  ];
  for (const [what, one] of wrong)
    await assert.rejects(
      admin.probe(one, 3000),
      (error) => error instanceof EtcdRefusal && error.kind === "unknown",
      what,
    );
  await admin.probe(endpoint("localhost", shown), 5000);
});

test("a member that was away is reached at once when it is back", async (t) => {
  const server = await ServerProcess.start();
  const admin = new GrpcEtcdAdmin();
  t.after(() => server.remove());
  t.after(() => admin.close());
  await admin.probe({ url: server.url }, 5000);
  await server.stop("SIGKILL");
  for (let attempt = 0; attempt < 5; attempt++) await assert.rejects(admin.status({ url: server.url }, 1000));
  await server.launch();
  await admin.status({ url: server.url }, 1000);
});
