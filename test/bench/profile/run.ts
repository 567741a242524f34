/** `npm run bench -- --profile NAME`: the load of a row against our server alone, and where the time went in it. */
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { Experiment, Kit } from "../experiments.ts";
import { programBeside, removeSubject, startSubject } from "../subject.ts";
import { type CpuProfile, selfTimes } from "./reader.ts";

const FUNCTIONS = 40;
const WRITE_MS = 60_000;

/** Answers the lines to print. The profile stays, for other tools. */
export async function profileLoad(experiment: Experiment, kit: Kit): Promise<string[]> {
  const file = join(mkdtempSync(join(tmpdir(), "kvorum-profile-")), "server.cpuprofile");
  const recorder = pathToFileURL(programBeside("profile/recorder.js")).href;
  const subject = await startSubject("ours", {
    etcd: "",
    tls: experiment.tls,
    nodeOptions: ["--import", recorder],
    env: { PROFILE_FILE: file },
  });
  const { server } = subject;
  try {
    await experiment.prepare(subject, kit);
    if (!experiment.slow) await experiment.measure(subject, { ...kit, options: { ...kit.options, seconds: 1 } });
    process.kill(server.pid, "SIGUSR2");
    await sleep(100);
    const { figures } = await experiment.measure(subject, kit);
    process.kill(server.pid, "SIGUSR2");
    for (let waitedMs = 0; !existsSync(file); waitedMs += 50) {
      if (waitedMs > WRITE_MS) throw new Error(`the profile was not written:\n${server.log}`);
      await sleep(50);
    }
    const profile = JSON.parse(readFileSync(file, "utf8")) as CpuProfile;
    const lines = selfTimes(profile, FUNCTIONS).map(
      ({ where, part, us }) =>
        `${(part * 100).toFixed(1).padStart(5)} % ${(us / 1000).toFixed(0).padStart(6)} ms  ${where}`,
    );
    return [`under the profiler: ${JSON.stringify(figures)}`, ...lines, file];
  } finally {
    await removeSubject(subject);
  }
}
