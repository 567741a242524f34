/**
 * The end of the process as a crash makes it: at once, with an exit code, and nothing of ours runs any more. From a
 * thread the first one must do it, for Node lets no other end a process; the thread stands still until then.
 */
import { isMainThread, parentPort, type Worker } from "node:worker_threads";

/** What a thread asks of the first one. */
interface EndMessage {
  readonly kind: "end";
  readonly exitCode: number;
}

/** Without the events that Node has for an end: nobody gets to tidy up. */
const leave = (process as unknown as { reallyExit(exitCode: number): never }).reallyExit;

/** Does not return. */
export function endProcessAtOnce(exitCode: number): never {
  if (!isMainThread) {
    parentPort?.postMessage({ kind: "end", exitCode } satisfies EndMessage);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  }
  return leave.call(process, exitCode);
}

/** The first thread's side. */
export function obeyEnd(worker: Worker): void {
  worker.on("message", (message: EndMessage | { readonly kind: "" }) => {
    if (message.kind === "end") leave.call(process, message.exitCode);
  });
}
