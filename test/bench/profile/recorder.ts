/**
 * Loaded before our server when it is profiled: SIGUSR2 begins a processor profile, the next one ends it and writes it to
 * the file that PROFILE_FILE names. So only the load is in it, not the start and not what was put before.
 */
import { renameSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector";

const file = process.env["PROFILE_FILE"] ?? "";
const INTERVAL_US = 500;
const session = new Session();
let isRecording = false;

process.on("SIGUSR2", () => {
  if (!isRecording) {
    session.connect();
    session.post("Profiler.enable");
    session.post("Profiler.setSamplingInterval", { interval: INTERVAL_US });
    session.post("Profiler.start");
    isRecording = true;
    return;
  }
  session.post("Profiler.stop", (_, answer) => {
    writeFileSync(`${file}.part`, JSON.stringify(answer.profile));
    renameSync(`${file}.part`, file);
  });
});
