/** What `--help` prints: all flags by group, with default, help and what is not there yet. */
import { FLAG_GROUPS, type Flag } from "./flags.ts";

const WIDTH = 100;

/** Shown after a flag that could not be read, too. */
export const USAGE = [
  "Usage:",
  "  kvorum [flags]          start a server; takes etcd's flags",
  "  kvorum --config-file F  start a server with the settings in F",
  "  kvorum --version        print the version",
  "  kvorum --help           print this",
  "",
].join("\n");

/** The whole text, at most 100 columns wide. */
export function helpText(): string {
  const parts = [
    USAGE,
    wrap(
      "Every flag may be given as a variable instead, --data-dir as ETCD_DATA_DIR; both at once is an error. " +
        "In a configuration file (YAML) the key is the flag's name, and durations are whole nanoseconds.",
      "",
    ),
    "",
  ];
  for (const [group, flags] of Object.entries(FLAG_GROUPS)) {
    parts.push(`${group}:`, ...(flags as readonly Flag[]).map(flagText), "");
  }
  return parts.join("\n");
}

function flagText(flag: Flag): string {
  const shown = flag.kind === "bool" && flag.fallback === "false" ? "" : ` '${flag.fallback}'`;
  const choices = flag.choices !== undefined && flag.choices.length > 1 ? ` One of ${flag.choices.join(", ")}.` : "";
  return `  --${flag.name}${shown}\n${wrap(flag.help + choices + stateText(flag), "    ")}`;
}

function stateText({ state }: Flag): string {
  if (state.kind === "active") return "";
  return state.kind === "inert" ? ` [no effect: ${state.why}]` : ` [not yet: ${state.why}]`;
}

/** `text` in lines of at most WIDTH columns, each after `indent`. */
function wrap(text: string, indent: string): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(" ")) {
    if (line.length > indent.length && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = indent;
    }
    line += line.length > indent.length ? ` ${word}` : word;
  }
  lines.push(line);
  return lines.join("\n");
}
