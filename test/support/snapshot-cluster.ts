/** Several members as processes of their own, ours and real etcd mixed: one cluster on loopback. Whoever makes it removes it. */
import assert from "node:assert/strict";
import { utf8Bytes, utf8Text } from "../../server/base/bytes.ts";
import { type CallSettings, type Client, connect } from "../../server/client/client.ts";
import { KeyValue } from "../../server/proto/mvccpb.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { ServerProcess } from "./server-process.ts";

const { kv, cluster, maintenance } = SERVICES;
const CALL: CallSettings = { timeoutMs: 5000 };
/** What a cluster may take to come to rest. */
const SETTLE_MS = 30_000;

/** One member; `flags` may be added to until it is launched. */
export class SnapshotMember {
  readonly name: string;
  readonly server: ServerProcess;
  readonly client: Client;
  readonly flags: string[];

  constructor(name: string, server: ServerProcess, flags: string[]) {
    this.name = name;
    this.server = server;
    this.client = connect(server.endpoint);
    this.flags = flags;
  }

  get peerUrl(): string {
    return `http://127.0.0.1:${this.server.peerPort}`;
  }

  put(key: string, value: string | Uint8Array): Promise<void> {
    const request = { key: utf8Bytes(key), value: typeof value === "string" ? utf8Bytes(value) : value };
    return settling(async () => void (await this.client.unary(kv.methods.put, request, CALL)));
  }

  /** The value as this member alone has it; undefined: it has none. */
  async local(key: string): Promise<string | undefined> {
    const { kvs } = await this.client.unary(kv.methods.range, { key: utf8Bytes(key), serializable: true }, CALL);
    return kvs[0] === undefined ? undefined : utf8Text(KeyValue.decode(kvs[0]).value);
  }

  /** Of the newest revision here. */
  async hash(): Promise<{ revision: number; hash: number; compactRevision: number }> {
    const { header, hash, compactRevision } = await this.client.unary(maintenance.methods.hashKv, {}, CALL);
    return { revision: header?.revision ?? 0, hash, compactRevision };
  }

  async status(): Promise<{ id: bigint; leader: bigint; revision: number; applied: number }> {
    const { header, leader, raftAppliedIndex } = await this.client.unary(maintenance.methods.status, {}, CALL);
    return { id: header?.memberId ?? 0n, leader, revision: header?.revision ?? 0, applied: raftAppliedIndex };
  }
}

export class SnapshotCluster {
  readonly members: SnapshotMember[] = [];
  readonly #flags: readonly string[];

  private constructor(flags: readonly string[]) {
    this.#flags = flags;
  }

  /** Starts one member for each command (undefined: ours), and resolves when all serve. */
  static async start(
    commands: readonly (readonly string[] | undefined)[],
    flags: readonly string[],
  ): Promise<SnapshotCluster> {
    const made = new SnapshotCluster(flags);
    for (const [at, command] of commands.entries()) await made.#prepare(`m${at}`, command);
    const initial = made.members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(",");
    for (const { flags: own } of made.members) own.push(`--initial-cluster=${initial}`);
    try {
      await Promise.all(made.members.map(({ server }) => server.launch()));
    } catch (error) {
      await made.remove();
      throw error;
    }
    return made;
  }

  /** A new member of the cluster, which knows of it; it is not launched. */
  async add(command?: readonly string[]): Promise<SnapshotMember> {
    const first = this.members[0] as SnapshotMember;
    const added = await this.#prepare(`m${this.members.length}`, command);
    const request = { peerUrls: [added.peerUrl] };
    const { members } = await settling(() => first.client.unary(cluster.methods.memberAdd, request, CALL));
    const initial = members.map(({ name, peerUrls }) => `${name || added.name}=${peerUrls[0]}`).join(",");
    added.flags.push(`--initial-cluster=${initial}`, "--initial-cluster-state=existing");
    return added;
  }

  async #prepare(name: string, command: readonly string[] | undefined): Promise<SnapshotMember> {
    const flags = [`--name=${name}`, ...this.#flags];
    const server = await ServerProcess.prepare({ flags, ...(command === undefined ? {} : { command }) });
    const member = new SnapshotMember(name, server, flags);
    this.members.push(member);
    return member;
  }

  async leader(): Promise<SnapshotMember> {
    return settling(async () => {
      for (const member of this.members) {
        const { id, leader } = await member.status();
        if (id === leader) return member;
      }
      throw new Error("nobody leads");
    });
  }

  /** Has `member` lead. */
  async lead(member: SnapshotMember): Promise<void> {
    const { id } = await member.status();
    await settling(async () => {
      const leader = await this.leader();
      if (leader !== member) await leader.client.unary(maintenance.methods.moveLeader, { targetId: id }, CALL);
      assert.equal(await this.leader(), member);
    });
  }

  /** Resolves when these (all, when absent) have the same HashKV at the same revision, and answers it. */
  async level(members: readonly SnapshotMember[] = this.members): Promise<{ revision: number; hash: number }> {
    return settling(async () => {
      const [first, ...others] = await Promise.all(members.map((member) => member.hash()));
      for (const other of others) assert.deepEqual(other, first);
      return first as { revision: number; hash: number };
    });
  }

  /** What the members logged last, for the message of a failed test. */
  get logs(): string {
    return this.members.map(({ name, server }) => `--- ${name}\n${server.log.slice(-6000)}`).join("\n");
  }

  async remove(): Promise<void> {
    for (const { client } of this.members) client.close();
    await Promise.all(this.members.map(({ server }) => server.remove()));
  }
}

/** Tries until it succeeds; after too long its last failure. */
export async function settling<T>(action: () => Promise<T>, limitMs = SETTLE_MS): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
