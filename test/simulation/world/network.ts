/**
 * The simulated network: an end for each member on one clock, with chance from one seed. A run is a function of the seed
 * and of what is asked of it, and `trace` tells two runs apart.
 *
 *     const network = new SimulatedNetwork({ clock, seed, faults: CALM });
 *     const one = network.join({ id: 1n, urls: ["http://one:2380"] });     the port `Network` of member 1
 *     one.start(receiver);
 *     network.cut(1n, 2n);          what goes from 1 to 2 is lost, also what is under way; the way back stays
 *     network.crash(1n);            its receiver is not called again, and what was under way to it is lost
 *     network.join({ id: 1n, ... }) its next life, with a receiver of its own
 *
 * What a member gets has been through the real codecs, so no two members share anything. Receivers are called by the clock
 * alone: never inside a call to the network, nor inside one that cuts, heals or crashes.
 */
import { assert } from "../../../server/base/assert.ts";
import { memberIdText } from "../../../server/base/int64.ts";
import { Prng } from "../../../server/base/prng.ts";
import type { Clock } from "../../../server/ports/clock.ts";
import type { Network } from "../../../server/ports/network.ts";
import { SimulatedEnd } from "./network-end.ts";
import { CALM, type LinkFaults } from "./network-faults.ts";
import { type Trace, Wires } from "./network-wires.ts";

export interface SimulatedNetworkOptions {
  readonly clock: Clock;
  readonly seed: number;
  /** Of all links. Default: `CALM`. */
  readonly faults?: LinkFaults;
}

export interface JoinOptions {
  readonly id: bigint;
  /** Its peer URLs; no two members have one in common. */
  readonly urls: readonly string[];
  /** Default: one that all have. */
  readonly clusterId?: bigint;
}

/** Of whoever names no other. */
export const CLUSTER_ID = 0xc0ffeen;

export class SimulatedNetwork {
  readonly #wires: Wires;
  readonly #ends = new Map<bigint, SimulatedEnd>();

  constructor({ clock, seed, faults = CALM }: SimulatedNetworkOptions) {
    this.#wires = new Wires(clock, new Prng(seed));
    this.#wires.setFaults(faults);
  }

  get trace(): Trace {
    return this.#wires.trace;
  }

  /** A new life of a member. The one before must have been closed, or have crashed. */
  join({ id, urls, clusterId = CLUSTER_ID }: JoinOptions): Network {
    assert(urls.length > 0, "a member has a peer URL");
    const end = new SimulatedEnd(this.#wires, { id, urls: [...urls], clusterId });
    this.#wires.add(end);
    this.#ends.set(id, end);
    return end;
  }

  /** The process of a member dies. Nothing when it is not there. */
  crash(id: bigint): void {
    this.#ends.get(id)?.crash();
    this.#ends.delete(id);
  }

  /** Faults of all links from now on. */
  setFaults(faults: LinkFaults): void {
    this.#wires.setFaults(faults);
  }

  /** What differs on the link from one member to another, in that direction; nothing takes it back to the rest. */
  setLinkFaults(from: bigint, to: bigint, faults: Partial<LinkFaults> = {}): void {
    this.#wires.setLinkFaults(from, to, faults);
  }

  /** One way. */
  cut(from: bigint, to: bigint): void {
    this.#wires.cut(from, to);
  }

  /** Both ways, between each of the one side and each of the other. */
  partition(side: readonly bigint[], other: readonly bigint[]): void {
    for (const one of side)
      for (const two of other) {
        assert(one !== two, `member ${memberIdText(one)} is on one side`);
        this.cut(one, two);
        this.cut(two, one);
      }
  }

  /** One way. */
  heal(from: bigint, to: bigint): void {
    this.#wires.heal(from, to);
  }

  healAll(): void {
    this.#wires.healAll();
  }
}
