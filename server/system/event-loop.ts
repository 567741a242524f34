/** How late the loop is: a timer that should have run and could not says how long everything else took. */

/** A twentieth of the shortest election timeout in use would be 5 ms; stalls worth knowing are longer. */
const PERIOD_MS = 20;

/** Calls `seen` about fifty times a second with the seconds by which that came late; answers what stops it. */
export function watchEventLoop(seen: (lagSeconds: number) => void): () => void {
  let due = performance.now() + PERIOD_MS;
  let timer = setTimeout(tick, PERIOD_MS).unref();
  function tick(): void {
    const now = performance.now();
    seen(Math.max(0, now - due) / 1000);
    due = now + PERIOD_MS;
    timer = setTimeout(tick, PERIOD_MS).unref();
  }
  return () => clearTimeout(timer);
}
