/** How late the loop is: a timer that should have run and could not says how long everything else took. */

/** A twentieth of the shortest election timeout in use would be 5 ms; stalls worth knowing are longer. */
const PERIOD_MS = 20;
/**
 * Fifty looks a second would be most of what an idle server does. Then a stall shorter than this may pass unseen or be
 * seen in part.
 */
const IDLE_PERIOD_MS = 100;
/** Of the time since the last look: below, the loop counts as idle. */
const IDLE_SHARE = 0.1;

/**
 * Calls `seen` about fifty times a second, ten times while the loop has little to do, with the seconds by which that came
 * late; answers what stops it.
 */
export function watchEventLoop(seen: (lagSeconds: number) => void): () => void {
  let before = performance.eventLoopUtilization();
  let periodMs = PERIOD_MS;
  let due = performance.now() + periodMs;
  let timer = setTimeout(tick, periodMs).unref();
  function tick(): void {
    const now = performance.now();
    seen(Math.max(0, now - due) / 1000);
    const use = performance.eventLoopUtilization();
    periodMs = performance.eventLoopUtilization(use, before).utilization < IDLE_SHARE ? IDLE_PERIOD_MS : PERIOD_MS;
    before = use;
    due = now + periodMs;
    timer = setTimeout(tick, periodMs).unref();
  }
  return () => clearTimeout(timer);
}
