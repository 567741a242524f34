/** Whether members can show each other what they must, at every moment: judged on the world after each tick. */
import { usesTls } from "./certificates.ts";
import type { Server } from "./etcd.ts";
import type { Demand } from "./rule-names.ts";
import type { World } from "./world.ts";

/** Certificates are renewed five minutes before their end: whoever was free to for all but half a minute of it is late. */
const TO_RENEW_MS = 270_000;
/** A kubelet that is up has brought new files by then, and a process that is not frozen has read them. */
const TO_LOAD_MS = 120_000;

export class CertificateRules {
  readonly #world: World;
  readonly #demand: Demand;
  /** Since when nothing has kept an operator from renewing. */
  #freeSince: number | undefined;
  /** Since when a process can have what its Secret holds. */
  readonly #ableSince = new Map<Server, number>();

  constructor(world: World, demand: Demand) {
    this.#world = world;
    this.#demand = demand;
  }

  tick(): void {
    const world = this.#world;
    const { cluster, now, certificates } = world;
    if (cluster === undefined || !usesTls(cluster)) return;
    if (this.#isHeldUp()) this.#freeSince = undefined;
    else this.#freeSince ??= now;
    this.#noteWhoIsAble();
    // What is written in haste leaves those out who could not be asked: then there is nothing to hold anybody to.
    if (certificates.wasUrgent) return;
    const able = [...this.#ableSince].filter(([, since]) => now - since >= TO_LOAD_MS).map(([server]) => server);
    if (this.#freeSince !== undefined && now - this.#freeSince >= TO_RENEW_MS) this.#judgeEnds(able);
    this.#judgeTrust(able);
  }

  #judgeEnds(able: readonly Server[]): void {
    for (const { name, loaded } of able)
      if (loaded !== undefined)
        this.#demand("expired", loaded.notAfter > this.#world.now, `${name} shows ${loaded.leaf}`);
  }

  #judgeTrust(able: readonly Server[]): void {
    for (const one of able) {
      for (const other of able) {
        if (one === other || one.loaded === undefined || other.loaded === undefined) continue;
        const isTrusted = one.loaded.trusted.includes(other.loaded.signedBy);
        this.#demand(
          "trust",
          isTrusted,
          `${one.name} does not trust ${other.loaded.signedBy}, which ${other.name} shows`,
        );
      }
    }
  }

  /** People have stopped it, or there are two ids, which freezes everything. */
  #isHeldUp(): boolean {
    const { cluster, etcd, acceptedSpec } = this.#world;
    if (cluster === undefined || cluster.spec.paused || acceptedSpec === undefined) return true;
    if (cluster.metadata.deletionTimestamp !== undefined) return true;
    const first = etcd.beginnings[0]?.clusterId;
    for (const { disk } of etcd.servers.values()) if (disk.clusterId !== first) return true;
    return false;
  }

  #noteWhoIsAble(): void {
    const { kubernetes, etcd, now } = this.#world;
    for (const server of this.#ableSince.keys())
      if (etcd.servers.get(server.name) !== server) this.#ableSince.delete(server);
    for (const pod of kubernetes.pods.values()) {
      const { server } = pod;
      if (server === undefined) continue;
      if (pod.node?.state !== "up" || server.isFrozen || pod.deletingSince !== undefined)
        this.#ableSince.delete(server);
      else if (!this.#ableSince.has(server)) this.#ableSince.set(server, now);
    }
  }
}
