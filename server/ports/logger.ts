/** The server's log, in etcd's shape: a level, a message and fields. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "fatal";

export type LogFields = Readonly<Record<string, unknown>>;

/** Info is rare in a calm server; warn heals by itself; error lost something. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}
