/**
 * What is held beside etcd: a member of ours that is alone, or a cluster of ours that is asked through one member, which
 * does not lead, or through any of them while leadership goes round. To whoever asks it is one store: what a write has
 * answered, every later read sees. A member answers some calls from what it has, which is its good right and etcd's too;
 * where the call before was another member's, this one is brought level first, by a linearizable read.
 */
import assert from "node:assert/strict";
import { utf8Bytes } from "../../server/base/bytes.ts";
import { Prng } from "../../server/base/prng.ts";
import { RangeRequest, type TxnRequest } from "../../server/proto/etcdserverpb.ts";
import { type ClusterMember, ClusterProcess, ours } from "../support/cluster-process.ts";
import { ServerProcess } from "../support/server-process.ts";
import { type Answer, Endpoint } from "./endpoint.ts";
import type { Request } from "./generator.ts";

export type Way = "alone" | "through a follower" | "through any member";

export interface Subject {
  call(request: Request): Promise<Answer>;
  /** Where the watch stream with this number is. */
  watchEndpoint(stream: number): Endpoint;
  /** Resolves when whoever may be asked has applied all that was answered. */
  level(): Promise<void>;
  /** Between two stretches of requests: who leads may change. */
  changeLeader(): Promise<void>;
  /** Each member that can be asked, for what all of them must answer alike. */
  readonly endpoints: readonly Endpoint[];
  remove(): Promise<void>;
}

/** `seed` chooses who is asked; `members` is the size of the cluster, unless the member is alone. */
export async function startSubject(way: Way, members: number, seed: number): Promise<Subject> {
  if (way === "alone") return startAlone();
  const cluster = await ClusterProcess.start(ours(...Array.from({ length: members }, (_, at) => `member-${at + 1}`)));
  return way === "through any member" ? new AnyMember(cluster, new Prng(seed)) : follower(cluster);
}

/** One member is asked all: it sees what it has answered itself, so nothing has to be waited for. */
class OneMember implements Subject {
  readonly #endpoint: Endpoint;
  readonly #store: { remove(): Promise<void> };
  readonly #step: () => Promise<void>;

  /** `store` is removed with it; `step` is what happens between two stretches. */
  constructor(
    endpoint: Endpoint,
    store: { remove(): Promise<void> },
    step: () => Promise<void> = async () => undefined,
  ) {
    this.#endpoint = endpoint;
    this.#store = store;
    this.#step = step;
  }

  get endpoints(): readonly Endpoint[] {
    return [this.#endpoint];
  }

  call(request: Request): Promise<Answer> {
    return this.#endpoint.call(request);
  }

  watchEndpoint(): Endpoint {
    return this.#endpoint;
  }

  async level(): Promise<void> {}

  changeLeader(): Promise<void> {
    return this.#step();
  }

  async remove(): Promise<void> {
    this.#endpoint.close();
    await this.#store.remove();
  }
}

async function startAlone(): Promise<Subject> {
  const server = await ServerProcess.start();
  return new OneMember(new Endpoint("ours", server.url), server);
}

/** A member that does not lead; where a slow moment of the machine has made it, another one takes over. */
async function follower(cluster: ClusterProcess): Promise<Subject> {
  const leader = await cluster.leader();
  const asked = cluster.members.find((member) => member !== leader) as ClusterMember;
  return new OneMember(new Endpoint(asked.name, asked.server.url), cluster, async () => {
    if ((await cluster.leader()) === asked) await cluster.lead(leader);
  });
}

/** Each request goes to a member by chance, each watch stream stays with one; who leads changes now and then. */
class AnyMember implements Subject {
  readonly #cluster: ClusterProcess;
  readonly #random: Prng;
  readonly endpoints: readonly Endpoint[];
  #turn = 0;

  constructor(cluster: ClusterProcess, random: Prng) {
    this.#cluster = cluster;
    this.#random = random;
    this.endpoints = cluster.members.map(({ name, server }) => new Endpoint(name, server.url));
  }

  async call(request: Request): Promise<Answer> {
    const endpoint = this.#random.pick(this.endpoints);
    if (isLocal(request)) await catchUp(endpoint);
    return endpoint.call(request);
  }

  watchEndpoint(stream: number): Endpoint {
    return this.endpoints[stream % this.endpoints.length] as Endpoint;
  }

  async level(): Promise<void> {
    await Promise.all(this.endpoints.map(catchUp));
  }

  async changeLeader(): Promise<void> {
    this.#turn++;
    await this.#cluster.lead(this.#cluster.members[this.#turn % this.#cluster.members.length] as ClusterMember);
  }

  async remove(): Promise<void> {
    for (const endpoint of this.endpoints) endpoint.close();
    await this.#cluster.remove();
  }
}

async function catchUp(endpoint: Endpoint): Promise<void> {
  const { code, text } = await endpoint.call({ method: "range", message: LINEARIZABLE });
  assert.equal(code, 0, `${endpoint.name} cannot read: ${text}`);
}

const LINEARIZABLE = RangeRequest.create({ key: utf8Bytes("nobody writes here") });

/** Whether etcd's members answer it from what they have, without asking the others. */
function isLocal(request: Request): boolean {
  switch (request.method) {
    case "range":
    case "rangeStream":
      return request.message.serializable;
    case "txn":
      return isLocalTxn(request.message);
    case "hashKv":
    case "leaseLeases":
      return true;
    default:
      return false;
  }
}

/** A transaction of serializable reads and nothing else, so an empty one too. */
function isLocalTxn({ success, failure }: TxnRequest): boolean {
  return [...success, ...failure].every(({ request }) => request?.kind === "range" && request.value.serializable);
}
