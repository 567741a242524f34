/** Virtual time in the tests of what a member is made of: let it pass, and look what became of a promise. */
import type { LogFields, Logger } from "../../server/ports/logger.ts";
import type { SimClock } from "../simulation/world/clock.ts";

/** Lets `ms` of virtual time pass: everything that is due in it, and at its end, is run. */
export async function pass(clock: SimClock, ms: number): Promise<void> {
  clock.after(ms, () => undefined);
  await clock.run(() => false, ms);
}

/** What a promise comes to within `limitMs` of virtual time. */
export async function within<T>(clock: SimClock, limitMs: number, promise: Promise<T>): Promise<T> {
  let settled = false;
  const mark = () => {
    settled = true;
  };
  promise.then(mark, mark);
  if (!(await clock.run(() => settled, limitMs))) throw new Error(`nothing came of it within ${limitMs} ms`);
  return promise;
}

/** A promise that the test decides. */
export class Deferred<T = void> {
  readonly promise: Promise<T>;
  resolve: (value: T) => void = () => undefined;
  reject: (error: unknown) => void = () => undefined;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

/** Keeps what was logged. */
export class LogLines implements Logger {
  readonly lines: { readonly level: string; readonly message: string; readonly fields: LogFields }[] = [];

  debug(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: "debug", message, fields });
  }

  info(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: "info", message, fields });
  }

  warn(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: "warn", message, fields });
  }

  error(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: "error", message, fields });
  }

  /** The messages of a level. */
  of(level: string): string[] {
    return this.lines.filter((line) => line.level === level).map(({ message }) => message);
  }
}
