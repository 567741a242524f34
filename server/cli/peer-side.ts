/**
 * Everything that other members reach: the peer addresses of the configuration, and the way to the others. Ports are
 * taken before anything is opened; members are answered once this one has its ids.
 */
import type { Config } from "../config/config.ts";
import { isSecure } from "../config/urls.ts";
import { ETCD_VERSION } from "../config/version.ts";
import { BootstrapError } from "../member/bootstrap-result.ts";
import type { JoinedCluster } from "../member/options.ts";
import type { Series } from "../metrics/series.ts";
import type { Clock } from "../ports/clock.ts";
import type { Network } from "../ports/network.ts";
import type { SystemLogger } from "../system/logger.ts";
import { TlsFiles } from "../system/tls-files.ts";
import { PeerCertificates } from "../transport/peer-certificates.ts";
import { PeerListener } from "../transport/peer-listener.ts";
import { Transport } from "../transport/transport.ts";
import type { CertificateUse } from "./certificate-series.ts";
import { ownCertificate } from "./own-certificate.ts";

/** The oldest members that we work with. */
const OLDEST_VERSION = "3.0.0";
/** How long each member of a running cluster may take to say who is in it. */
const ASK_MS = 5000;

export interface PeerSideParts {
  readonly config: Config;
  readonly logger: SystemLogger;
  readonly series: Series;
  readonly clock: Clock;
}

export class PeerSide {
  readonly #parts: PeerSideParts;
  readonly #listener: PeerListener;
  readonly #tls: PeerTls | undefined;

  private constructor(parts: PeerSideParts, listener: PeerListener, tls: PeerTls | undefined) {
    this.#parts = parts;
    this.#listener = listener;
    this.#tls = tls;
  }

  /** Takes all ports or none; rejects with `WorldError`, which names the address and what to do. */
  static async bind(parts: PeerSideParts): Promise<PeerSide> {
    const { config, logger } = parts;
    const tls = peerTlsOf(config, parts.clock, logger.child("transport/peer-certificates.ts"));
    const addresses = config.peerUrls.listen.map((address) => ({
      host: address.host,
      port: address.port,
      isSecure: isSecure(address),
    }));
    return new PeerSide(parts, await PeerListener.bind(addresses, tls?.certificates), tls);
  }

  /** The TLS files that are shown to those who dial, and to those we dial where these are others; for the metrics. */
  get certificates(): CertificateUse[] {
    if (this.#tls === undefined) return [];
    const { certificates, server, client } = this.#tls;
    const refresh = () => certificates.refresh();
    return [
      { listener: "peer", files: server, refresh },
      ...(client === undefined ? [] : [{ listener: "peer-client", files: client, refresh }]),
    ];
  }

  /** The network of a member with these ids, which answers from its start on. */
  openNetwork(ids: { readonly memberId: bigint; readonly clusterId: bigint }): Network {
    const network = this.#transport(ids);
    this.#listener.serve(network.handler);
    return network;
  }

  /**
   * What the members of the running cluster that `--initial-cluster` names say of it. Rejects with `BootstrapError` when
   * none of them answers.
   */
  async findCluster(): Promise<JoinedCluster> {
    const { config } = this.#parts;
    const others = [...config.initialCluster].filter(([name]) => name !== config.name).map(([, urls]) => urls);
    const network = this.#transport({ memberId: 0n, clusterId: 0n });
    try {
      for (const urls of others) {
        try {
          const { clusterId, members } = await network.ask(urls, "members", undefined, ASK_MS);
          return { clusterId, members };
        } catch (error) {
          this.#parts.logger.warn("a member of the running cluster does not answer", { urls: urls.join(","), error });
        }
      }
    } finally {
      await network.close();
    }
    throw new BootstrapError(
      "--initial-cluster-state=existing, but no other member that --initial-cluster names answers: " +
        `${others.flat().join(", ") || "there is none"}; start one of them, or begin a new cluster with "new"`,
    );
  }

  close(): Promise<void> {
    return this.#listener.close();
  }

  #transport({ memberId, clusterId }: { readonly memberId: bigint; readonly clusterId: bigint }): Transport {
    const { config, logger, series, clock } = this.#parts;
    return new Transport({
      identity: {
        memberId,
        clusterId,
        peerUrls: config.peerUrls.advertise,
        serverVersion: ETCD_VERSION,
        minClusterVersion: OLDEST_VERSION,
      },
      clock,
      logger: logger.child("transport/transport.ts"),
      series: series.network,
      certificates: this.#tls?.certificates,
      timing: { readMs: config.raftReadTimeoutMs, writeMs: config.raftWriteTimeoutMs },
    });
  }
}

/** What members show each other, and the files that it comes from. */
interface PeerTls {
  readonly certificates: PeerCertificates;
  readonly server: TlsFiles;
  /** Undefined: those we dial are shown the same. */
  readonly client: TlsFiles | undefined;
}

/** Undefined when none are given and none are to be made: https addresses are then refused. */
function peerTlsOf(config: Config, clock: Clock, logger: SystemLogger): PeerTls | undefined {
  const { peerTls, tls } = config;
  if (peerTls.certFile === "" && peerTls.trustedCaFile === "") {
    return peerTls.autoTls ? ownCertificates(config, clock, logger) : undefined;
  }
  if (peerTls.autoTls) logger.warn("ignoring peer auto TLS since certs given");
  const { minVersion, maxVersion, ciphers } = tls;
  const { trustedCaFile, crlFile } = peerTls;
  const filesOf = (certFile: string, keyFile: string) =>
    new TlsFiles({ certFile, keyFile, trustedCaFile, crlFile, minVersion, maxVersion, ciphers }, logger);
  const server = filesOf(peerTls.certFile, peerTls.keyFile);
  const client = peerTls.clientCertFile === "" ? undefined : filesOf(peerTls.clientCertFile, peerTls.clientKeyFile);
  const certificates = new PeerCertificates({
    server,
    client,
    isClientRequired: peerTls.clientCertAuth || trustedCaFile !== "",
    allowedCommonNames: peerTls.allowedCommonNames,
    allowedHostnames: peerTls.allowedHostnames,
    skipsAddressCheck: peerTls.skipsAddressCheck,
    logger,
  });
  return { certificates, server, client };
}

/** `--peer-auto-tls`: what is said is encrypted, and nobody knows to whom. */
function ownCertificates(config: Config, clock: Clock, logger: SystemLogger): PeerTls | undefined {
  const pair = ownCertificate("peer", config.peerUrls.listen, config, clock);
  if (pair === undefined) return undefined;
  const { minVersion, maxVersion, ciphers } = config.tls;
  const server = new TlsFiles({ ...pair, trustedCaFile: "", minVersion, maxVersion, ciphers }, logger);
  const certificates = new PeerCertificates({ server, isClientRequired: false, trustsAnybody: true, logger });
  return { certificates, server, client: undefined };
}
