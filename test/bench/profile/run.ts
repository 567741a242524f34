/** `npm run bench -- --profile NAME`: the load of a row against our server alone, and where the time went in it. */
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { Experiment, Kit } from "../experiment.ts";
import { programBeside, removeSubject, startSubject } from "../subject.ts";
import { type CpuProfile, type SelfTime, selfTimes } from "./reader.ts";

const FUNCTIONS = 40;
const WRITE_MS = 60_000;

/** Answers the lines to print. The profile stays, for other tools. */
export async function profileLoad(experiment: Experiment, kit: Kit): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-profile-"));
  const subject = await startSubject("ours", {
    etcd: "",
    tls: experiment.tls,
    nodeOptions: ["--import", pathToFileURL(programBeside("profile/recorder.js")).href],
    env: { PROFILE_FOLDER: folder },
  });
  try {
    await experiment.prepare(subject, kit);
    if (!experiment.slow) await experiment.measure(subject, { ...kit, options: { ...kit.options, seconds: 1 } });
    const fromUs = nowUs();
    const { figures } = await experiment.measure(subject, kit);
    const span = { fromUs, toUs: nowUs() };
    writeFileSync(join(folder, "stop"), "");
    const file = join(folder, "server.cpuprofile");
    for (let waitedMs = 0; !existsSync(file); waitedMs += 50) {
      if (waitedMs > WRITE_MS) throw new Error(`the profile was not written:\n${subject.server.log}`);
      await sleep(50);
    }
    const profile = JSON.parse(readFileSync(file, "utf8")) as CpuProfile;
    const lines = selfTimes(profile, FUNCTIONS, span).map(lineOf);
    return [`under the profiler: ${JSON.stringify(figures)}`, ...lines, file];
  } finally {
    await removeSubject(subject);
  }
}

function lineOf({ where, part, us }: SelfTime): string {
  return `${(part * 100).toFixed(1).padStart(5)} % ${(us / 1000).toFixed(0).padStart(6)} ms  ${where}`;
}

/** V8 stamps its samples by the same clock. */
function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}
