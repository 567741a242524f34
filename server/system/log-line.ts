/**
 * One line of the log, as etcd's zap writes it: JSON with level, ts, caller, msg and the fields, or the same for the
 * eyes. Whatever is in the fields comes out as one valid line of bounded length.
 */
import { printableBytes } from "../base/bytes.ts";
import type { LogFields, LogLevel } from "../ports/logger.ts";

export type LogFormat = "json" | "console";

export interface LogEntry {
  readonly level: LogLevel;
  /** As timestamp() writes it. */
  readonly time: string;
  /** "room/file.ts" */
  readonly caller: string;
  readonly message: string;
  readonly fields: LogFields | undefined;
}

/** Longest text in a field or message, in characters; what is beyond is counted. */
const MAX_TEXT = 16 * 1024;
/** Most elements of a list and fields of an object. */
const MAX_ELEMENTS = 256;
/** Deepest object in an object. */
const MAX_DEPTH = 6;
/** Longest line, in characters; one beyond it loses its fields. */
const MAX_LINE = 256 * 1024;

const OWN_KEYS: ReadonlySet<string> = new Set(["level", "ts", "caller", "msg"]);

/** The line of `entry`, line feed included. */
export function formatLine(entry: LogEntry, format: LogFormat): string {
  const fields = fieldsText(entry, format === "console" ? " " : "");
  const line = format === "json" ? jsonLine(entry, fields) : consoleLine(entry, fields);
  if (line.length <= MAX_LINE) return line;
  return formatLine({ ...entry, fields: { "fields-dropped": `the line had ${line.length} characters` } }, format);
}

function jsonLine({ level, time, caller, message }: LogEntry, fields: string): string {
  const own = `"level":"${level}","ts":"${time}","caller":${JSON.stringify(caller)},"msg":${text(message)}`;
  return fields === "" ? `{${own}}\n` : `{${own},${fields}}\n`;
}

function consoleLine({ level, time, caller, message }: LogEntry, fields: string): string {
  const own = `${time}\t${level}\t${caller}\t${oneLine(bounded(message))}`;
  return fields === "" ? `${own}\n` : `${own}\t{${fields}}\n`;
}

function oneLine(message: string): string {
  return message.replace(/[\r\n]+/g, " ");
}

/** `"key":value` after one another, or with `space` for the eyes. */
function fieldsText(entry: LogEntry, space: string): string {
  if (entry.fields === undefined) return "";
  const pairs: string[] = [];
  for (const [key, value] of Object.entries(entry.fields)) {
    if (value === undefined || typeof value === "function") continue;
    const name = OWN_KEYS.has(key) ? `${key}_` : key;
    pairs.push(`${JSON.stringify(name)}:${space}${safely(value, space)}`);
    if (value instanceof Error && (entry.level === "error" || entry.level === "fatal")) {
      pairs.push(`"stacktrace":${space}${text(value.stack ?? "")}`);
    }
  }
  return pairs.join(`,${space}`);
}

/** A field must not be able to break the line, nor whoever logs. */
function safely(value: unknown, space: string): string {
  try {
    return encode(value, space, 0);
  } catch (error) {
    return text(`(not loggable: ${String(error)})`);
  }
}

function encode(value: unknown, space: string, depth: number): string {
  switch (typeof value) {
    case "string":
      return text(value);
    case "number":
      return Number.isFinite(value) ? String(value) : `"${value}"`;
    case "bigint":
      return value.toString();
    case "boolean":
      return String(value);
    case "object":
      return value === null ? "null" : encodeObject(value, space, depth);
    default:
      return text(String(value));
  }
}

function encodeObject(value: object, space: string, depth: number): string {
  if (value instanceof Error) return text(value.message || value.name);
  if (value instanceof Uint8Array) return text(printableBytes(value, 256));
  if (depth >= MAX_DEPTH) return '"..."';
  if (Array.isArray(value)) return encodeList(value, space, depth);
  if (value instanceof Set) return encodeList([...value], space, depth);
  const entries =
    value instanceof Map ? [...value].map(([key, of]) => [String(key), of] as const) : Object.entries(value);
  const pairs = entries
    .filter(([, of]) => of !== undefined && typeof of !== "function")
    .slice(0, MAX_ELEMENTS)
    .map(([key, of]) => `${JSON.stringify(key)}:${space}${encode(of, space, depth + 1)}`);
  if (entries.length > MAX_ELEMENTS) pairs.push(`"...":${space}${entries.length - MAX_ELEMENTS}`);
  return `{${pairs.join(`,${space}`)}}`;
}

function encodeList(list: readonly unknown[], space: string, depth: number): string {
  const items = list.slice(0, MAX_ELEMENTS).map((item) => encode(item, space, depth + 1));
  if (list.length > MAX_ELEMENTS) items.push(text(`... ${list.length - MAX_ELEMENTS} more`));
  return `[${items.join(`,${space}`)}]`;
}

function text(value: string): string {
  return JSON.stringify(bounded(value));
}

function bounded(value: string): string {
  return value.length <= MAX_TEXT ? value : `${value.slice(0, MAX_TEXT)}... ${value.length - MAX_TEXT} more`;
}

/** `wallMs`, with a fraction, as etcd writes a moment: UTC, microseconds. */
export function timestamp(wallMs: number): string {
  const whole = Math.floor(wallMs);
  const microseconds = Math.min(999, Math.floor((wallMs - whole) * 1000));
  return `${new Date(whole).toISOString().slice(0, 23)}${String(microseconds).padStart(3, "0")}Z`;
}
