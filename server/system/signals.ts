/**
 * Signals of the process for the thread that serves. They reach the first thread alone; when the server runs in a
 * thread of its own (launch.ts), they are passed on to it. Until somebody asks for a signal it does what it always does.
 */
import { isMainThread, parentPort, type Worker } from "node:worker_threads";

export type Signal = "SIGTERM" | "SIGINT" | "SIGHUP";

type Message =
  | { readonly kind: "subscribe"; readonly signal: Signal }
  | { readonly kind: "resign"; readonly signal: Signal }
  | { readonly kind: "signal"; readonly signal: Signal };

/** Calls `action` at each `signal` from now on, instead of what it would do to the process. */
export function onSignal(signal: Signal, action: () => void): void {
  if (isMainThread || parentPort === null) {
    process.on(signal, action);
    return;
  }
  parentPort.on("message", (message: Message) => {
    if (message.kind === "signal" && message.signal === signal) action();
  });
  parentPort.unref(); // waiting for a signal keeps nothing alive
  parentPort.postMessage({ kind: "subscribe", signal } satisfies Message);
}

/** Ends the process by `signal`, as whoever sent it expects; call it when all is closed. */
export function resign(signal: Signal): void {
  if (isMainThread || parentPort === null) {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    return;
  }
  parentPort.postMessage({ kind: "resign", signal } satisfies Message);
}

/** The first thread's side: passes signals that `worker` asks for. */
export function passSignals(worker: Worker): void {
  worker.on("message", (message: Message) => {
    const { signal } = message;
    if (message.kind === "subscribe") {
      process.on(signal, () => worker.postMessage({ kind: "signal", signal } satisfies Message));
    } else if (message.kind === "resign") {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    }
  });
}
