/** The house rules, each a function from the files it is given to what is wrong with them. */
import { posix } from "node:path";
import {
  EXCEPTIONS,
  FOR_TESTS,
  MAY_NAME_PROMISES,
  PACKAGES,
  PROGRAMS,
  ROOMS,
  TOP_ROOMS,
  WAITING,
  WORLDLY,
  WORLDLY_MEMBERS,
} from "./rooms.ts";
import type { SourceFile, Token } from "./scan.ts";

export interface Violation {
  readonly path: string;
  readonly line: number;
  readonly text: string;
}

export type Rule = (files: readonly SourceFile[]) => Violation[];

/** The longest a source file may ever be. Far above what reads well: it stops what nobody would read at all. */
const MAX_LINES = 1500;

export const RULES: Readonly<Record<string, Rule>> = {
  "every room is in the table": eachFile(unknownRoom),
  "a room imports only what the table allows": imports(roomTable),
  "an import names a file that exists": existingImports,
  "a package is imported only where it belongs": imports(packagePlace),
  "a file of a program is used by a program": reached,
  "pure and simulated rooms do not touch the world": eachFile(untouchedWorld),
  "pure rooms never wait": eachFile(neverWaits),
  "a file begins by saying what it is for": eachFile(beginsWithComment),
  "no file is beyond reading": eachFile(bounded),
  "work left undone is no comment": eachFile(nothingPromised),
};

export function check(rule: Rule, files: readonly SourceFile[]): string[] {
  if (files.length === 0) return ["no file was seen: a check of nothing proves nothing"];
  return rule(files).map(({ path, line, text }) => `${path}:${line}: ${text}`);
}

/** The room of a file, "test" for what lies below test/. */
export function roomOf(path: string): string | undefined {
  if (path.startsWith("test/")) return "test";
  return /^server\/([^/]+)\//.exec(path)?.[1] ?? /^(operator\/[^/]+)\//.exec(path)?.[1];
}

function isTopRoom(room: string): boolean {
  return TOP_ROOMS.includes(room);
}

/** Whether the file is shipped: of a program, not of its tests. */
function isProduct(path: string): boolean {
  return /^(?:server|operator)\//.test(path) && !isTest(path);
}

export function isTest(path: string): boolean {
  return path.endsWith(".test.ts") || path.startsWith("test/");
}

function eachFile(rule: (file: SourceFile) => Iterable<Omit<Violation, "path">>): Rule {
  return (files) => files.flatMap((file) => Array.from(rule(file), (found) => ({ path: file.path, ...found })));
}

/** Looks at each import on its own: a sentence for what is wrong with it, or nothing. */
function imports(rule: (path: string, from: string) => string | undefined): Rule {
  return eachFile(function* ({ path, imports: all }) {
    for (const { from, line } of all) {
      const text = rule(path, from);
      if (text !== undefined) yield { line, text };
    }
  });
}

function* unknownRoom({ path }: SourceFile): Iterable<Omit<Violation, "path">> {
  const room = roomOf(path);
  if (room === undefined) yield { line: 1, text: "lies in no room" };
  else if (room !== "test" && !isTopRoom(room) && ROOMS[room] === undefined)
    yield { line: 1, text: `room "${room}" is not in test/house/rooms.ts` };
}

function roomTable(path: string, from: string): string | undefined {
  if (!from.startsWith(".")) return undefined;
  const room = roomOf(path);
  const target = roomOf(resolved(path, from));
  if (target === undefined) return `imports "${from}", which lies in no room`;
  if (room === undefined || room === "test" || room === target) return undefined;
  if (target === "test") return isTest(path) ? undefined : `imports "${from}": the product does not know its tests`;
  if (isTopRoom(room) ? !isTopRoom(target) : ROOMS[room]?.imports.includes(target)) return undefined;
  // A test may also look at what its room is used with, as long as the product does not.
  if (isTest(path) && !isTopRoom(target)) return undefined;
  return `room ${room} may not import room ${target} ("${from}")`;
}

function existingImports(files: readonly SourceFile[]): Violation[] {
  const known = new Set(files.map(({ path }) => path));
  return imports((path, from) => {
    if (from === "?") return isTest(path) ? undefined : "imports a module that is computed";
    if (!from.startsWith(".")) return undefined;
    return known.has(resolved(path, from)) ? undefined : `imports "${from}", and there is no such file`;
  })(files);
}

function resolved(path: string, from: string): string {
  return posix.join(posix.dirname(path), from);
}

/** What only tests use belongs to the tests, and what nobody uses to nobody. */
function reached(files: readonly SourceFile[]): Violation[] {
  const known = new Map(files.map((file) => [file.path, file]));
  const seen = new Set<string>();
  const kept = files.map(({ path }) => path).filter((path) => FOR_TESTS.some((place) => path.startsWith(place)));
  const next = [...PROGRAMS, ...kept];
  for (let path = next.pop(); path !== undefined; path = next.pop()) {
    const file = known.get(path);
    if (file === undefined || seen.has(path)) continue;
    seen.add(path);
    for (const { from } of file.imports) if (from.startsWith(".")) next.push(resolved(path, from));
  }
  return files
    .filter(({ path }) => isProduct(path) && !seen.has(path))
    .map(({ path }) => ({ path, line: 1, text: `is reached from no program (${PROGRAMS.join(", ")})` }));
}

function packagePlace(path: string, from: string): string | undefined {
  if (from.startsWith(".") || from.startsWith("node:") || from === "?") return undefined;
  const name = from.split("/", from.startsWith("@") ? 2 : 1).join("/");
  const places = PACKAGES[name];
  if (places === undefined) return `package "${name}" is not in test/house/rooms.ts`;
  const isAllowed = places.some((place) => (place === "tests" ? isTest(path) : path.startsWith(place)));
  return isAllowed ? undefined : `package "${name}" belongs to ${places.join(", ")}`;
}

function* untouchedWorld({ path, tokens, imports: all }: SourceFile): Iterable<Omit<Violation, "path">> {
  const room = ROOMS[roomOf(path) ?? ""];
  if (room === undefined || room.world === "open" || isTest(path)) return;
  const exceptions = EXCEPTIONS[path] ?? [];
  for (const { from, line, isDynamic } of all) {
    if (from.startsWith("node:") && !exceptions.includes(from)) yield { line, text: `imports "${from}"` };
    if (isDynamic) yield { line, text: "imports while it runs" };
  }
  for (const [index, token] of tokens.entries()) {
    const { text, line } = token;
    if (isUseOf(tokens, index, WORLDLY) && !exceptions.includes(text)) yield { line, text: `uses ${text}` };
    if (text === "Math" && token.kind === "word" && !isPureMath(tokens, index))
      yield { line, text: "uses Math.random" };
    if (WORLDLY_MEMBERS.includes(text) && isMember(tokens, index)) yield { line, text: `uses ${text}` };
    if (text === "import" && tokens[index + 1]?.text === "." && !isMember(tokens, index))
      yield { line, text: "uses import.meta" };
  }
}

function* neverWaits({ path, tokens }: SourceFile): Iterable<Omit<Violation, "path">> {
  const room = roomOf(path) ?? "";
  if (ROOMS[room]?.world !== "pure" || isTest(path)) return;
  for (const [index, { text, line }] of tokens.entries()) {
    if (text === "Promise" && MAY_NAME_PROMISES.includes(room)) continue;
    if (isUseOf(tokens, index, WAITING)) yield { line, text: `uses ${text}` };
  }
}

/** Whether the token is one of these names in use: not a member of something, not the name of a field or parameter. */
function isUseOf(tokens: readonly Token[], index: number, names: readonly string[]): boolean {
  const token = tokens[index];
  if (token?.kind !== "word" || !names.includes(token.text) || isMember(tokens, index)) return false;
  const before = tokens[index - 1]?.text ?? "";
  const after = tokens[index + 1]?.text ?? "";
  const isDeclared = after === ":" || (after === "?" && tokens[index + 2]?.text === ":");
  return !(isDeclared && ["{", ",", ";", "(", "readonly"].includes(before));
}

function isMember(tokens: readonly Token[], index: number): boolean {
  return [".", "?."].includes(tokens[index - 1]?.text ?? "");
}

/** `Math.something` that is not random; anything else done with Math could hide it. */
function isPureMath(tokens: readonly Token[], index: number): boolean {
  if (isMember(tokens, index)) return true;
  return tokens[index + 1]?.text === "." && tokens[index + 2]?.text !== "random";
}

function* beginsWithComment({ path, text }: SourceFile): Iterable<Omit<Violation, "path">> {
  // A unit test is introduced by the file beside it.
  if (path.endsWith(".test.ts") && !path.startsWith("test/")) return;
  const start = text.replace(/^#![^\n]*\n/, "").trimStart();
  if (!start.startsWith("/*") && !start.startsWith("//")) yield { line: 1, text: "does not begin with a comment" };
}

function* bounded({ lineCount }: SourceFile): Iterable<Omit<Violation, "path">> {
  if (lineCount > MAX_LINES) yield { line: lineCount, text: `has ${lineCount} lines; ${MAX_LINES} is the bound` };
}

/** What is left to do stands in an issue; what the compiler is told to overlook stands nowhere. */
function* nothingPromised({ text }: SourceFile): Iterable<Omit<Violation, "path">> {
  for (const [index, line] of text.split("\n").entries())
    if (/\b(?:TODO|FIXME|XXX)\b|@ts-(?:ignore|expect-error|nocheck)/.test(line) && !line.includes("TODO|FIXME"))
      yield { line: index + 1, text: line.trim() };
}
