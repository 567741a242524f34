/** Several real members on this machine, of ours or of etcd, that form one cluster; and what tests ask of all of them. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { utf8Bytes } from "../../server/base/bytes.ts";
import { type Client, connect } from "../../server/client/client.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { ServerProcess } from "./server-process.ts";

const { kv, cluster, maintenance } = SERVICES;
/** How long the cluster may take to come to something. */
const PATIENCE_MS = 30_000;
const AGAIN_MS = 50;
const CALL_MS = 3000;

export interface MemberSpec {
  readonly name: string;
  /** Another program than ours: etcd. */
  readonly command?: readonly string[];
}

export interface ClusterMember {
  readonly name: string;
  readonly server: ServerProcess;
  readonly client: Client;
  readonly peerUrl: string;
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
    const late: string[][] = specs.map(() => []);
    for (const [at, spec] of specs.entries()) made.members.push(await prepare(spec, late[at] as string[]));
    const first = made.members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join();
    for (const own of late) own.push(`--initial-cluster=${first}`, ...flags);
    await Promise.all(made.members.map(({ server }) => server.launch()));
    return made;
  }

  /** Adds a member to the running cluster and starts it; resolves when it serves. */
  async join(spec: MemberSpec, isLearner = false): Promise<ClusterMember> {
    const flags: string[] = [];
    const member = await prepare(spec, flags);
    await this.eventually(`"${spec.name}" is added`, () =>
      this.any().client.unary(
        cluster.methods.memberAdd,
        { peerUrls: [member.peerUrl], isLearner },
        { timeoutMs: CALL_MS },
      ),
    );
    const all = [...this.members, member].map(({ name, peerUrl }) => `${name}=${peerUrl}`).join();
    flags.push(`--initial-cluster=${all}`, "--initial-cluster-state=existing", ...this.#flags);
    this.members.push(member);
    await member.server.launch();
    return member;
  }

  /** Removes a member from the cluster, through another one; its process ends, and its folder goes. */
  async leave(member: ClusterMember): Promise<void> {
    const id = await this.idOf(member);
    this.members.splice(this.members.indexOf(member), 1);
    await this.eventually(`"${member.name}" is removed`, () =>
      this.any().client.unary(cluster.methods.memberRemove, { id }, { timeoutMs: CALL_MS }),
    );
    member.client.close();
    await member.server.remove();
  }

  /** A member that runs. */
  any(): ClusterMember {
    return this.members.find(({ server }) => server.isRunning) as ClusterMember;
  }

  async idOf({ client }: ClusterMember): Promise<bigint> {
    const { header } = await client.unary(maintenance.methods.status, {}, { timeoutMs: CALL_MS });
    return header?.memberId ?? 0n;
  }

  /** The member that leads, as it says itself. */
  async leader(): Promise<ClusterMember> {
    return this.eventually("somebody leads", async () => {
      for (const member of this.members.filter(({ server }) => server.isRunning)) {
        const status = await member.client.unary(maintenance.methods.status, {}, { timeoutMs: CALL_MS });
        if (status.leader !== 0n && status.leader === status.header?.memberId) return member;
      }
      throw new Error("nobody leads");
    });
  }

  /** Waits until all members that run have the same keys: the hash of them at one revision. */
  async level(): Promise<void> {
    await this.eventually("all members hold the same keys", async () => {
      const running = this.members.filter(({ server }) => server.isRunning);
      const { header } = await this.any().client.unary(
        kv.methods.range,
        { key: utf8Bytes("none") },
        { timeoutMs: CALL_MS },
      );
      const revision = header?.revision ?? 0;
      const hashes = await Promise.all(
        running.map(({ client }) => client.unary(maintenance.methods.hashKv, { revision }, { timeoutMs: CALL_MS })),
      );
      assert.equal(new Set(hashes.map(({ hash }) => hash)).size, 1, `hashes of revision ${revision}`);
    });
  }

  /** Tries until it works, for so long as anything may take; then says what was wrong last. */
  async eventually<T>(what: string, action: () => Promise<T>): Promise<T> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      try {
        return await action();
      } catch (error) {
        if (Date.now() < deadline) await sleep(AGAIN_MS);
        else throw new Error(`not within ${PATIENCE_MS / 1000} s: ${what}\n${this.#logs()}`, { cause: error });
      }
    }
  }

  async remove(): Promise<void> {
    for (const { client } of this.members) client.close();
    await Promise.all(this.members.map(({ server }) => server.remove()));
  }

  #logs(): string {
    return this.members.map(({ name, server }) => `--- ${name}\n${server.log.slice(-3000)}`).join("\n");
  }
}

/** `flags` are read when it is launched. */
async function prepare({ name, command }: MemberSpec, flags: string[]): Promise<ClusterMember> {
  const server = await ServerProcess.prepare({ ...(command === undefined ? {} : { command }), flags });
  flags.push(`--name=${name}`);
  return { name, server, client: connect(server.url), peerUrl: `http://127.0.0.1:${server.peerPort}` };
}
