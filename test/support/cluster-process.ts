/** Several members as processes of their own, ours and real etcd mixed: one cluster on loopback. Whoever makes it removes it. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { utf8Bytes, utf8Text } from "../../server/base/bytes.ts";
import { type CallSettings, type Client, connect } from "../../server/client/client.ts";
import { KeyValue } from "../../server/proto/mvccpb.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { ServerProcess } from "./server-process.ts";

const { kv, cluster, maintenance } = SERVICES;
const CALL = { timeoutMs: 3000 } satisfies CallSettings;
/** How long the cluster may take to come to something. */
const PATIENCE_MS = 30_000;
const AGAIN_MS = 50;

export interface MemberSpec {
  readonly name: string;
  /** Another program than ours: etcd. */
  readonly command?: readonly string[];
  /** How long it may take until it serves: of one that is sent much first. */
  readonly readyMs?: number;
  /** Read at each start. */
  readonly env?: Readonly<Record<string, string>>;
  /** Kept by the caller when given. */
  readonly dataDir?: string;
  /** The peer URL that others are told, when it is not that of the port that the member listens on. */
  readonly advertise?: (peerPort: number) => string;
}

/** Members of ours with these names. */
export function ours(...names: readonly string[]): MemberSpec[] {
  return names.map((name) => ({ name }));
}

/** One member; `flags` may be added to until it is launched. */
export class ClusterMember {
  readonly name: string;
  readonly server: ServerProcess;
  readonly client: Client;
  readonly flags: string[];
  /** Where the others find it. */
  readonly peerUrl: string;
  /** Undefined: ours as built. */
  readonly command: readonly string[] | undefined;

  constructor({ name, command, advertise }: MemberSpec, server: ServerProcess, flags: string[]) {
    this.name = name;
    this.peerUrl = advertise?.(server.peerPort) ?? `http://127.0.0.1:${server.peerPort}`;
    if (advertise !== undefined) flags.push(`--initial-advertise-peer-urls=${this.peerUrl}`);
    this.command = command;
    this.server = server;
    this.client = connect(server.url);
    this.flags = flags;
  }

  /** Tries until it is written: for a while nobody may lead. */
  put(key: string, value: string | Uint8Array): Promise<void> {
    return settling(() => this.tryPut(key, value));
  }

  /** One attempt. */
  async tryPut(key: string, value: string | Uint8Array, timeoutMs: number = CALL.timeoutMs): Promise<void> {
    const bytes = typeof value === "string" ? utf8Bytes(value) : value;
    await this.client.unary(kv.methods.put, { key: utf8Bytes(key), value: bytes }, { ...CALL, timeoutMs });
  }

  /** The value; undefined: there is none. */
  get(key: string): Promise<string | undefined> {
    return this.#read(key, false);
  }

  /** The same as this member alone has it, which may be stale. */
  local(key: string): Promise<string | undefined> {
    return this.#read(key, true);
  }

  async #read(key: string, serializable: boolean): Promise<string | undefined> {
    const { kvs } = await this.client.unary(kv.methods.range, { key: utf8Bytes(key), serializable }, CALL);
    return kvs[0] === undefined ? undefined : utf8Text(KeyValue.decode(kvs[0]).value);
  }

  /** Of the newest revision here. */
  async hash(): Promise<{ revision: number; hash: number; compactRevision: number }> {
    const { header, hash, compactRevision } = await this.client.unary(maintenance.methods.hashKv, {}, CALL);
    return { revision: header?.revision ?? 0, hash, compactRevision };
  }

  /** The newest revision that this member has. */
  async revision(): Promise<number> {
    const { header } = await this.client.unary(kv.methods.range, { key: utf8Bytes("x"), serializable: true }, CALL);
    return header?.revision ?? 0;
  }

  async status(): Promise<{ id: bigint; leader: bigint }> {
    const { header, leader } = await this.client.unary(maintenance.methods.status, {}, CALL);
    return { id: header?.memberId ?? 0n, leader };
  }
}

export class ClusterProcess {
  readonly members: ClusterMember[] = [];
  readonly #flags: readonly string[];

  private constructor(flags: readonly string[]) {
    this.#flags = flags;
  }

  /** Starts all members of a new cluster and resolves when all of them serve. */
  static async start(specs: readonly MemberSpec[], flags: readonly string[] = []): Promise<ClusterProcess> {
    const made = new ClusterProcess(flags);
    for (const spec of specs) await made.#prepare(spec);
    const initial = made.members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join();
    for (const member of made.members) member.flags.push(`--initial-cluster=${initial}`);
    try {
      await Promise.all(made.members.map(({ server }) => server.launch()));
    } catch (error) {
      await made.remove();
      throw error;
    }
    return made;
  }

  /** Adds a member to the running cluster and starts it; resolves when it serves. */
  async join(spec: MemberSpec, isLearner = false): Promise<ClusterMember> {
    const known = this.any();
    const added = await this.#prepare(spec);
    const request = { peerUrls: [added.peerUrl], isLearner };
    const { members } = await this.eventually(`"${spec.name}" is added`, async () => {
      const { response, status } = await known.client.call(cluster.methods.memberAdd, request, CALL);
      if (response !== undefined) return response;
      // The answer to an earlier attempt was lost.
      if (!/Peer URLs already exists/.test(status.text)) throw new Error(status.text);
      return known.client.unary(cluster.methods.memberList, { linearizable: true }, CALL);
    });
    const initial = members.map(({ name, peerUrls }) => `${name || added.name}=${peerUrls[0]}`).join();
    added.flags.push(`--initial-cluster=${initial}`, "--initial-cluster-state=existing");
    await added.server.launch();
    return added;
  }

  /** Removes a member from the cluster, through another one; its process ends, and its folder goes. */
  async leave(member: ClusterMember): Promise<void> {
    const { id } = await member.status();
    this.members.splice(this.members.indexOf(member), 1);
    await this.eventually(`"${member.name}" is removed`, () =>
      this.any().client.unary(cluster.methods.memberRemove, { id }, CALL),
    );
    member.client.close();
    await member.server.remove();
  }

  /** A member that runs. */
  any(): ClusterMember {
    return this.#running[0] as ClusterMember;
  }

  /** The member that leads, as it says itself. */
  leader(): Promise<ClusterMember> {
    return this.eventually("somebody leads", async () => {
      for (const member of this.#running) {
        const { id, leader } = await member.status();
        if (id === leader) return member;
      }
      throw new Error("nobody leads");
    });
  }

  /** Has `member` lead. */
  async lead(member: ClusterMember): Promise<void> {
    const { id } = await member.status();
    await this.eventually(`"${member.name}" leads`, async () => {
      const leader = await this.leader();
      if (leader !== member) await leader.client.unary(maintenance.methods.moveLeader, { targetId: id }, CALL);
      assert.equal((await this.leader()).name, member.name);
    });
  }

  /** Resolves when all that run have the same HashKV at the same revision, and answers it. */
  level(): Promise<{ revision: number; hash: number }> {
    return this.eventually("all members hold the same keys", async () => {
      const [first, ...others] = await Promise.all(this.#running.map((member) => member.hash()));
      for (const other of others) assert.deepEqual(other, first);
      return first as { revision: number; hash: number };
    });
  }

  /** Tries until it works, for so long as anything may take; then says what was wrong last. */
  async eventually<T>(what: string, action: () => Promise<T>): Promise<T> {
    try {
      return await settling(action);
    } catch (error) {
      throw new Error(`not within ${PATIENCE_MS / 1000} s: ${what}\n${this.logs}`, { cause: error });
    }
  }

  /** What the members logged last, for the message of a failed test. */
  get logs(): string {
    return this.members.map(({ name, server }) => `--- ${name}\n${server.log.slice(-3000)}`).join("\n");
  }

  async remove(): Promise<void> {
    for (const { client } of this.members) client.close();
    await Promise.all(this.members.map(({ server }) => server.remove()));
  }

  get #running(): ClusterMember[] {
    return this.members.filter(({ server }) => server.isRunning);
  }

  async #prepare({ name, ...program }: MemberSpec): Promise<ClusterMember> {
    const flags = [`--name=${name}`, ...this.#flags];
    const server = await ServerProcess.prepare({ flags, ...program });
    const member = new ClusterMember({ name, ...program }, server, flags);
    this.members.push(member);
    return member;
  }
}

/** Tries until it works; after too long its last failure. */
async function settling<T>(action: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(AGAIN_MS);
    }
  }
}
