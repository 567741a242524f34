/** Time, asked for. Whoever needs it gets this port; nobody below the conductor does. */
export interface Clock {
  /** Milliseconds that never go back; the origin means nothing. */
  monotonicMs(): number;
  /** Milliseconds since 1970 by the wall; may jump. Only for people and for ids. */
  wallMs(): number;
  /** Calls `action` once after `delayMs`. */
  after(delayMs: number, action: () => void): Timer;
  /** Calls `action` once, after what is ready now has run: closes the batch of one turn of the loop. */
  soon(action: () => void): void;
}

export interface Timer {
  /** The action will not run; nothing when it already has. */
  cancel(): void;
}
