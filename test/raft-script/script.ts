/**
 * A script is a text that a person reads from top to bottom:
 *
 *     # Comments say which rule is shown.
 *     campaign 1                       a command begins its line
 *         1 is candidate in term 1     what it must give is indented below it
 *
 * Running it gives the same text with the lines as they really are; the two are then compared.
 */
import type { TestCluster } from "../support/raft-cluster.ts";
import { runCommand } from "./commands.ts";
import { World } from "./world.ts";

const INDENT = "    ";

/** What a test may do to the cluster whenever its members were started. */
export type Tamper = (cluster: TestCluster) => void;

/** The text of a script with the output that its commands really give. */
export function rewrite(text: string, tamper?: Tamper): string {
  const world = new World(tamper);
  const lines: string[] = [];
  text.split("\n").forEach((line, at) => {
    // What was expected is left out: what happens takes its place.
    if (/^\s+\S/.test(line)) return;
    lines.push(line.trimEnd());
    if (line.trim() === "" || line.startsWith("#")) return;
    try {
      runCommand(world, line.trim());
    } catch (cause) {
      throw new Error(`line ${at + 1}: ${line}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
    for (const said of world.takeLines()) lines.push(INDENT + said);
  });
  return lines.join("\n");
}

/** Where the two texts part, in words; undefined when they do not. */
export function firstDifference(expected: string, actual: string): string | undefined {
  const [wanted, given] = [expected.split("\n"), actual.split("\n")];
  for (let at = 0; at < Math.max(wanted.length, given.length); at++) {
    if (wanted[at] === given[at]) continue;
    const command = given.slice(0, at).findLast((line) => /^[a-z]/.test(line));
    return [
      `line ${at + 1}, after: ${command ?? "the beginning"}`,
      `  expected: ${wanted[at] ?? "the end"}`,
      `  happened: ${given[at] ?? "the end"}`,
    ].join("\n");
  }
  return undefined;
}

/** What is wrong with the text of a script before it is run; undefined for nothing. */
export function complaintAbout(text: string): string | undefined {
  const comment = /^(?:#.*\n)+/.exec(text)?.[0] ?? "";
  if (!/(?:paper|thesis), section \d|not in paper or thesis/i.test(comment.replaceAll("\n# ", " ")))
    return "it begins with a comment that names the section of the paper or the thesis";
  if (!/^ +\S/m.test(text)) return "no command has any output: it cannot fail";
  if (/[ \t]+$/m.test(text)) return "lines end in spaces";
  return undefined;
}
