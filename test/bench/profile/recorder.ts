/**
 * Loaded before our server when it is profiled, in each of its threads: records from the start of the thread that serves,
 * which is no main thread, and writes the profile when a file named stop appears in PROFILE_FOLDER. The reader cuts the load out of it.
 */
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector";
import { isMainThread } from "node:worker_threads";

const folder = process.env["PROFILE_FOLDER"] ?? "";
const INTERVAL_US = 500;
const LOOK_MS = 100;

if (!isMainThread) {
  const session = new Session();
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.setSamplingInterval", { interval: INTERVAL_US });
  session.post("Profiler.start");
  const timer = setInterval(() => {
    if (!existsSync(`${folder}/stop`)) return;
    clearInterval(timer);
    session.post("Profiler.stop", (_, answer) => {
      writeFileSync(`${folder}/part`, JSON.stringify(answer.profile));
      renameSync(`${folder}/part`, `${folder}/server.cpuprofile`);
    });
  }, LOOK_MS);
  timer.unref();
}
