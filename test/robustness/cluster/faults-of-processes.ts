/** Processes that are killed, stopped, restarted, without power, or told to lead. */
import { setTimeout as sleep } from "node:timers/promises";
import { SERVICES } from "../../../server/proto/services.ts";
import type { Fault } from "./fault.ts";

const LEADER_SHARE = 0.6;
const CALL = { timeoutMs: 2000 };

const kill: Fault = {
  name: "kill -9",
  async run(field, holdMs) {
    const member = await field.take(LEADER_SHARE);
    if (member === undefined) return undefined;
    await field.stop(member, "SIGKILL");
    await sleep(holdMs);
    await field.launch(member);
    return member.name;
  },
};

const killMost: Fault = {
  name: "kill -9 of most",
  async run(field, holdMs) {
    const most = Math.floor(field.cluster.members.length / 2) + 1;
    const members = [];
    for (let at = 0; at < most; at++) members.push(await field.take(LEADER_SHARE));
    const taken = members.filter((member) => member !== undefined);
    await Promise.all(taken.map((member) => field.stop(member, "SIGKILL")));
    await sleep(holdMs / 2);
    await Promise.all(taken.map((member) => field.launch(member)));
    return taken.map(({ name }) => name).join(" ");
  },
};

const pause: Fault = {
  name: "SIGSTOP",
  async run(field, holdMs) {
    const member = await field.take(LEADER_SHARE);
    if (member === undefined) return undefined;
    process.kill(member.server.pid, "SIGSTOP");
    await sleep(holdMs);
    process.kill(member.server.pid, "SIGCONT");
    return `${member.name} for ${Math.round(holdMs)} ms`;
  },
};

const powerCut: Fault = {
  name: "power cut of all",
  isAlone: true,
  lacks: ({ power }) => power,
  async run(field, holdMs) {
    const { members } = field.cluster;
    for (const member of members) field.mayEnd(member);
    field.power?.cut();
    await Promise.all(members.map((member) => field.stop(member, "SIGKILL")));
    field.power?.restore();
    await sleep(holdMs / 4);
    await Promise.all(members.map((member) => field.launch(member)));
    return members.map(({ name }) => name).join(" ");
  },
};

const killAll: Fault = {
  name: "kill -9 of all",
  isAlone: true,
  async run(field, holdMs) {
    const { members } = field.cluster;
    await Promise.all(members.map((member) => field.stop(member, "SIGKILL")));
    await sleep(holdMs / 4);
    await Promise.all(members.map((member) => field.launch(member)));
    return members.map(({ name }) => name).join(" ");
  },
};

const rollingRestart: Fault = {
  name: "rolling restart",
  isAlone: true,
  async run(field) {
    const names = [];
    for (const member of [...field.cluster.members]) {
      const { signal } = await field.stop(member, "SIGTERM");
      if (signal === "SIGKILL")
        throw new Error(`${member.name} did not end when it was told to: ${member.server.lastWords}`);
      await field.launch(member);
      names.push(member.name);
    }
    return names.join(" ");
  },
};

const leaderMoves: Fault = {
  name: "leader moves",
  async run(field, holdMs) {
    const way: string[] = [];
    for (const end = performance.now() + holdMs; performance.now() < end; await sleep(holdMs / 5)) {
      const leader = await field.leader();
      const target = field.random.pick(field.cluster.members);
      if (leader === undefined || target === leader) continue;
      const targetId = await target.status().then(
        ({ id }) => id,
        () => 0n,
      );
      const moved = await leader.client.call(SERVICES.maintenance.methods.moveLeader, { targetId }, CALL);
      if (moved.status.code === 0) way.push(target.name);
    }
    return way.length === 0 ? undefined : `to ${way.join(" ")}`;
  },
};

export const FAULTS_OF_PROCESSES: readonly Fault[] = [
  kill,
  killMost,
  pause,
  powerCut,
  killAll,
  rollingRestart,
  leaderMoves,
];
