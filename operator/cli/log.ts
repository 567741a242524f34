/** The operator's log: one line each, on standard error, as JSON for machines or as text for people. */

export type Level = "debug" | "info" | "warn" | "error";

const LEVELS: readonly Level[] = ["debug", "info", "warn", "error"];

/** A value in a line is cut after so many characters: a line must stay one. */
const MAX_VALUE = 4000;

export interface LogOptions {
  readonly level: Level;
  readonly format: "json" | "console";
  readonly write: (line: string) => void;
  /** RFC 3339. */
  readonly now: () => string;
}

export type Log = (level: Level, message: string, fields?: Readonly<Record<string, unknown>>) => void;

/** Lines below the level are not written. */
export function openLog({ level: least, format, write, now }: LogOptions): Log {
  const from = LEVELS.indexOf(least);
  return (level, message, fields = {}) => {
    if (LEVELS.indexOf(level) < from) return;
    const cut = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, shown(value)]));
    if (format === "json") write(`${JSON.stringify({ ts: now(), level, msg: message, ...cut })}\n`);
    else {
      const rest = Object.entries(cut).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
      write(`${now()} ${level.padEnd(5)} ${message}${rest.join("")}\n`);
    }
  };
}

function shown(value: unknown): unknown {
  if (typeof value !== "string" || value.length <= MAX_VALUE) return value;
  return `${value.slice(0, MAX_VALUE)}...`;
}
