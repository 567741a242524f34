/** The network contract, on the peer protocol over loopback, on the simulated network, and on planted mistakes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WorldError } from "../../server/base/error.ts";
import { Registry } from "../../server/metrics/registry.ts";
import { createSeries } from "../../server/metrics/series.ts";
import type { Network, Receiver } from "../../server/ports/network.ts";
import { SystemClock } from "../../server/system/clock.ts";
import { PeerListener } from "../../server/transport/peer-listener.ts";
import { Transport } from "../../server/transport/transport.ts";
import { SimClock } from "../simulation/world/clock.ts";
import { CLUSTER_ID, SimulatedNetwork } from "../simulation/world/network.ts";
import { LogLines, pass, within } from "../support/settling.ts";
import { eventually } from "../support/transport-member.ts";
import { holds, NETWORK_RULES, networkContract } from "./network.ts";
import { Witness } from "./network-witness.ts";
import type { ContractMember, MemberOptions, NetworkWorld } from "./network-world.ts";

/** Long enough for what is on its way on one machine. */
const SETTLE_MS = 60;
/** In the simulation time costs nothing. */
const LIMIT_MS = 600_000;

class LoopbackWorld implements NetworkWorld {
  readonly #closers: (() => Promise<void>)[] = [];

  async member(id: bigint, { answers, clusterId = CLUSTER_ID }: MemberOptions = {}): Promise<ContractMember> {
    const witness = new Witness(answers);
    const listener = await PeerListener.bind([{ host: "127.0.0.1", port: 0, isSecure: false }], undefined);
    const url = `http://${listener.addresses[0]}`;
    const transport = new Transport({
      identity: { memberId: id, clusterId, peerUrls: [url], serverVersion: "3.7.3", minClusterVersion: "3.0.0" },
      clock: new SystemClock(),
      logger: new LogLines(),
      series: createSeries(new Registry()).network,
      timing: { redialMs: 20, redialMaxMs: 80 },
    });
    const network = witness.watch(transport);
    network.start(witness);
    listener.serve(transport.handler);
    this.#closers.push(async () => {
      await transport.close();
      await listener.close();
    });
    return { id, url, network, witness };
  }

  until(condition: () => boolean, what: string): Promise<void> {
    return eventually(condition, what);
  }

  come<T>(promise: Promise<T>): Promise<T> {
    return promise;
  }

  settle(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  }

  async close(): Promise<void> {
    await Promise.all(this.#closers.map((close) => close()));
  }
}

class SimulatedWorld implements NetworkWorld {
  readonly #clock = new SimClock();
  readonly #network = new SimulatedNetwork({ clock: this.#clock, seed: 1 });
  readonly #members: Network[] = [];
  readonly #mistake: (network: Network) => Network;

  /** With a mistake between the member and its network. */
  constructor(mistake: (network: Network) => Network = (network) => network) {
    this.#mistake = mistake;
  }

  async member(id: bigint, { answers, clusterId }: MemberOptions = {}): Promise<ContractMember> {
    const witness = new Witness(answers);
    const url = `http://member-${id}:2380`;
    const end = this.#network.join({ id, urls: [url], ...(clusterId === undefined ? {} : { clusterId }) });
    this.#members.push(end);
    const network = witness.watch(this.#mistake(end));
    network.start(witness);
    return { id, url, network, witness };
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    if (!(await this.#clock.run(condition, LIMIT_MS))) throw new Error(`${what}: it never happened`);
  }

  come<T>(promise: Promise<T>): Promise<T> {
    return within(this.#clock, LIMIT_MS, promise);
  }

  settle(): Promise<void> {
    return pass(this.#clock, 2000);
  }

  async close(): Promise<void> {
    await this.come(Promise.all(this.#members.map((network) => network.close())));
  }
}

/** Mistakes between a member and its network, each with a rule that must find it. */
const MISTAKES: Readonly<Record<string, readonly [rule: string, mistake: (network: Network) => Network]>> = {
  "the end of a snapshot is told twice": [
    "a snapshot arrives whole, then its message, then the sender knows",
    withReceiver((receiver) => ({
      snapshotStatus: (id, wasDelivered) => {
        receiver.snapshotStatus(id, wasDelivered);
        receiver.snapshotStatus(id, wasDelivered);
      },
    })),
  ],
  "a failed snapshot is not told": [
    "a snapshot to a member that is not known, or is only a remote, is a failure",
    withReceiver((receiver) => ({
      snapshotStatus: (id, wasDelivered) => {
        if (wasDelivered) receiver.snapshotStatus(id, wasDelivered);
      },
    })),
  ],
  "a receiver is called inside send": [
    "messages to nobody, and to members that are not known, are passed over",
    (network) => {
      let receiver: Receiver | undefined;
      return changed(network, {
        start: (given) => {
          receiver = given;
          network.start(given);
        },
        send: (messages) => {
          for (const { to } of messages) if (network.activeSince(to) === undefined) receiver?.unreachable(to);
          network.send(messages);
        },
      });
    },
  ],
  "a message that did not leave is not reported": [
    "a message that did not leave is reported, and not inside the call",
    withReceiver(() => ({ unreachable: () => undefined })),
  ],
  "messages are looked at after the call": [
    "messages arrive as they were when they were sent",
    (network) => changed(network, { send: (messages) => void Promise.resolve().then(() => network.send(messages)) }),
  ],
  "a removed member is listened to": [
    "a removed member gets nothing through, and is told once",
    withReceiver(() => ({ isRemoved: () => false })),
  ],
  "a removed member is told again and again": [
    "a removed member gets nothing through, and is told once",
    withReceiver((receiver) => ({
      selfRemoved: () => {
        receiver.selfRemoved();
        receiver.selfRemoved();
      },
    })),
  ],
  "a body that is not wanted is not closed": [
    "a second snapshot to a member, while one is on its way, is a failure",
    (network) =>
      changed(network, {
        sendSnapshot: ({ body, ...snapshot }) => {
          const iterator = body[Symbol.asyncIterator]();
          const neverClosed = { [Symbol.asyncIterator]: () => ({ next: () => iterator.next() }) };
          network.sendSnapshot({ ...snapshot, body: neverClosed });
        },
      }),
  ],
  "a sink is told of an end that was none": [
    "a body that fails is a failure on both sides",
    withReceiver((receiver) => ({
      openSnapshot: async (message) => {
        const sink = await receiver.openSnapshot(message);
        return { write: (bytes) => sink.write(bytes), end: () => sink.end(), abort: () => void sink.end() };
      },
    })),
  ],
  "a refusal loses its code": [
    "refusals that are known arrive as what they are",
    (network) =>
      changed(network, {
        ask: (...asked) =>
          network.ask(...asked).catch((error) => {
            throw new WorldError("ask", error);
          }),
      }),
  ],
  "the receiver is called after close": [
    "after close the receiver is not called",
    (network) => {
      let receiver: Receiver | undefined;
      return changed(network, {
        start: (given) => {
          receiver = given;
          network.start(given);
        },
        close: async () => {
          await network.close();
          void Promise.resolve().then(() => receiver?.unreachable(2n));
        },
      });
    },
  ],
};

/** The network with some of it exchanged. */
function changed(network: Network, parts: Partial<Network>): Network {
  return {
    start: (receiver) => network.start(receiver),
    send: (messages) => network.send(messages),
    sendSnapshot: (snapshot) => network.sendSnapshot(snapshot),
    addPeer: (id, urls) => network.addPeer(id, urls),
    addRemote: (id, urls) => network.addRemote(id, urls),
    updatePeer: (id, urls) => network.updatePeer(id, urls),
    removePeer: (id) => network.removePeer(id),
    activeSince: (id) => network.activeSince(id),
    ask: (urls, kind, question, timeoutMs) => network.ask(urls, kind, question, timeoutMs),
    close: () => network.close(),
    ...parts,
  };
}

/** The network with another receiver than it was given. */
function withReceiver(parts: (receiver: Receiver) => Partial<Receiver>): (network: Network) => Network {
  return (network) =>
    changed(network, {
      start: (receiver) =>
        network.start({
          message: (message) => receiver.message(message),
          unreachable: (id) => receiver.unreachable(id),
          snapshotStatus: (id, wasDelivered) => receiver.snapshotStatus(id, wasDelivered),
          isRemoved: (id) => receiver.isRemoved(id),
          selfRemoved: () => receiver.selfRemoved(),
          openSnapshot: (message) => receiver.openSnapshot(message),
          answers: receiver.answers,
          ...parts(receiver),
        }),
    });
}

networkContract("peer protocol", () => new LoopbackWorld());
networkContract("simulated network", () => new SimulatedWorld());

for (const [what, [rule, mistake]] of Object.entries(MISTAKES))
  test(`the contract finds the planted mistake: ${what}`, async () => {
    const held = NETWORK_RULES[rule];
    assert.ok(held !== undefined, "there is such a rule");
    await assert.rejects(holds(held, new SimulatedWorld(mistake)));
  });
