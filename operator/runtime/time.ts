/**
 * Time and chance, asked for: whoever in this room waits, measures or varies gets this port, and so runs under virtual
 * time in tests. The real one is `system-time.ts`, its twin `test/operator/virtual-time.ts`.
 */

export interface Time {
  /** Milliseconds since 1970 by the wall; may jump. Only for what others read. */
  now(): number;
  /** Milliseconds that never go back; the origin means nothing. For all durations. */
  monotonic(): number;
  /** Calls `action` once after `delayMs`, 0 or more. */
  after(delayMs: number, action: () => void): Timer;
  /** Uniform in [0, 1). Not for secrets. */
  random(): number;
}

export interface Timer {
  /** The action will not run; nothing when it already has. */
  cancel(): void;
}

/** Resolves after `delayMs`, or at once when `signal` fires; never rejects. */
export function pause(time: Time, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const timer = time.after(delayMs, () => {
      signal?.removeEventListener("abort", aborted);
      resolve();
    });
    const aborted = () => {
      timer.cancel();
      resolve();
    };
    signal?.addEventListener("abort", aborted, { once: true });
  });
}

/** Uniform between `(1 - share) * ms` and `(1 + share) * ms`, so that many do not come at the same moment. */
export function jittered(time: Time, ms: number, share: number): number {
  return ms * (1 - share + 2 * share * time.random());
}

/** RFC 3339 in whole seconds: the API's `Time`. */
export function timestamp(wallMs: number): string {
  return new Date(wallMs).toISOString().replace(/\.\d{3}Z$/, "Z");
}

/** RFC 3339 with six digits: the API's `MicroTime`, which is refused with three. */
export function microTimestamp(wallMs: number): string {
  return new Date(wallMs).toISOString().replace(/Z$/, "000Z");
}
