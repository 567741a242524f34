/** Certificates of the operator in the server's own hands: members of one cluster meet, others of the same authority do not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { EtcdCluster } from "../../operator/api/etcd-cluster.ts";
import { peerProofHost, subjectNames } from "../../operator/api/tls-names.ts";
import { issueAuthority, issueLeaf, type Pair } from "../../operator/certificates/issue.ts";
import { serverFlags } from "../../operator/resources/server-flags.ts";
import { readConfig } from "../../server/config/config.ts";
import {
  type CertificateFiles,
  PeerCertificates,
  type PeerTlsOptions,
} from "../../server/transport/peer-certificates.ts";
import { LogLines } from "../support/settling.ts";
import { eventually, TransportMember } from "../support/transport-member.ts";
import { DEFAULTS, laterStart, TLS } from "./rendered.ts";

const DAY = 24 * 3600_000;
const now = Date.now();
const shared = await issueAuthority({ commonName: "one authority for all", now, lifetimeMs: 100 * DAY });

async function filesOf(cluster: EtcdCluster): Promise<CertificateFiles> {
  const names = subjectNames(cluster, "peer");
  const leaf: Pair = await issueLeaf(shared, { names, usages: ["server", "client"], now, lifetimeMs: DAY });
  const options = { cert: leaf.certificate.pem, key: leaf.key, ca: shared.certificate.pem };
  return { options, refresh: () => false };
}

/** What the flags of a member make of its peers' certificates. */
function flagged(): Pick<PeerTlsOptions, "allowedHostnames" | "skipsAddressCheck" | "isClientRequired"> {
  const invocation = readConfig(serverFlags(TLS, laterStart(TLS), DEFAULTS), {});
  if (invocation.kind !== "serve") throw new Error("the server would not serve");
  const { allowedHostnames, skipsAddressCheck, clientCertAuth } = invocation.config.peerTls;
  return { allowedHostnames, skipsAddressCheck, isClientRequired: clientCertAuth };
}

/** Why a member that shows `theirs` is refused by one with our flags; "let in" when it is not. */
async function verdict(theirs: EtcdCluster, ours: ReturnType<typeof flagged>): Promise<string> {
  const log = new LogLines();
  const strict = new PeerCertificates({ server: await filesOf(TLS), logger: log, ...ours });
  const other = new LogLines();
  const caller = new PeerCertificates({ server: await filesOf(theirs), logger: other, isClientRequired: true });
  const one = await TransportMember.start(1n, { certificates: strict });
  const two = await TransportMember.start(2n, { certificates: caller });
  try {
    two.meet(one);
    two.network.send([two.heartbeat(1n, 1)]);
    await eventually(() => two.lost.length > 0 || one.messages.length > 0, "it is let in or not");
    if (one.messages.length > 0) return "let in";
    await eventually(() => log.of("warn").includes("rejected connection on peer endpoint"), "the log says why");
    return log.lines.map(({ fields }) => String(fields["error"])).join();
  } finally {
    await Promise.all([one.close(), two.close()]);
  }
}

const OTHER: EtcdCluster = { ...TLS, metadata: { ...TLS.metadata, name: "other" } };

test("members of one cluster let each other in by the host that all their certificates are good for", async () => {
  assert.deepEqual(flagged().allowedHostnames, [peerProofHost("example", "default")]);
  assert.equal(await verdict(TLS, flagged()), "let in");
});

test("a member of another cluster whose certificates the same authority signs is turned away", async () => {
  assert.match(await verdict(OTHER, flagged()), /\*\.other-peers\.default\.svc.*none of those allowed/);
  assert.equal(
    await verdict(OTHER, { ...flagged(), allowedHostnames: [] }),
    "let in",
    "but for that check it would be",
  );
});
