/**
 * Reads TypeScript just far enough for the house rules: tokens, imports, and where functions begin and end. It is not
 * a parser, so it has to be robust instead: words inside comments, strings, templates and regular expressions are never
 * taken for code, and a literal that it misjudges ends with its line.
 */

export interface Token {
  readonly kind: "word" | "punctuation" | "string" | "template" | "regex" | "number";
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

export interface Import {
  /** As written: "./x.ts", "node:fs", "lmdb". */
  readonly from: string;
  readonly line: number;
  /** `import(...)`, also in a type. */
  readonly isDynamic: boolean;
}

/** A file of ours, read and cut into tokens. */
export interface SourceFile {
  /** From the project's folder, with "/". */
  readonly path: string;
  readonly text: string;
  readonly lineCount: number;
  readonly tokens: readonly Token[];
  readonly imports: readonly Import[];
}

export interface FunctionSpan {
  readonly name: string;
  readonly line: number;
  readonly lineCount: number;
}

export function readSource(path: string, text: string): SourceFile {
  const tokens = tokenize(text);
  const lineCount = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  return { path, text, lineCount, tokens, imports: importsOf(tokens) };
}

type Kind = Token["kind"] | "blank";

/** What a token looks like by kind, tried in this order; a character that begins none of them stands for itself. */
const SHAPES: readonly (readonly [Kind, RegExp])[] = [
  ["blank", /\s+|\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/uy],
  ["word", /#?[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/uy],
  ["punctuation", /=>|\?\.(?!\d)|\.\.\./uy],
  ["number", /\.?\d(?:[\w.]|(?<=[eE])[+-])*/uy],
  ["string", /"(?:\\[\s\S]|[^"\\\n])*"?|'(?:\\[\s\S]|[^'\\\n])*'?/uy],
];
const REGEX = /\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/uy;

/** After these a slash begins a regular expression although the token is a word. */
const BEFORE_REGEX = new Set(["return", "typeof", "case", "in", "of", "await", "yield", "throw", "void", "else", "do"]);

/** Everything but blanks and comments, in order. A template is cut at its expressions, which are read as code. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  /** For every template that is open: how many braces of its expression are. */
  const templates: number[] = [];
  let line = 1;
  let at = 0;
  while (at < text.length) {
    const [kind, end] = tokenAt(text, at, tokens.at(-1), templates);
    const piece = text.slice(at, end);
    if (kind !== "blank") tokens.push({ kind, text: piece, line });
    if (kind === "blank" || kind === "template") line += piece.split("\n").length - 1;
    at = end;
  }
  return tokens;
}

function tokenAt(text: string, at: number, before: Token | undefined, templates: number[]): readonly [Kind, number] {
  const open = templates.length - 1;
  if (text[at] === "`") return ["template", templateEnd(text, at + 1, templates)];
  if (text[at] === "{" && open >= 0) templates[open] = (templates[open] as number) + 1;
  if (text[at] === "}" && open >= 0) {
    if (templates[open] === 0) {
      templates.pop();
      return ["template", templateEnd(text, at + 1, templates)];
    }
    templates[open] = (templates[open] as number) - 1;
  }
  if (text[at] === "/" && mayBeginRegex(before)) {
    REGEX.lastIndex = at;
    if (REGEX.test(text)) return ["regex", REGEX.lastIndex];
  }
  for (const [kind, shape] of SHAPES) {
    shape.lastIndex = at;
    if (shape.test(text)) return [kind, shape.lastIndex];
  }
  return ["punctuation", at + 1];
}

/** Where the text part of a template ends: behind its closing quote, or behind a `${`, which is noted as open. */
function templateEnd(text: string, from: number, templates: number[]): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === "`") return at + 1;
    else if (text[at] === "$" && text[at + 1] === "{") {
      templates.push(0);
      return at + 2;
    }
  }
  return text.length;
}

function mayBeginRegex(before: Token | undefined): boolean {
  if (before === undefined) return true;
  if (before.kind === "word") return BEFORE_REGEX.has(before.text);
  return before.kind === "punctuation" && !["]", ")", "}"].includes(before.text);
}

/** Every module that the file names, types included. */
function importsOf(tokens: readonly Token[]): Import[] {
  const imports: Import[] = [];
  tokens.forEach((token, index) => {
    if (token.kind !== "word" || tokens[index - 1]?.text === ".") return;
    if (token.text !== "import" && token.text !== "export") return;
    const next = tokens[index + 1];
    if (token.text === "import" && next?.text === "(") {
      const from = tokens[index + 2];
      imports.push({ from: from?.kind === "string" ? unquoted(from.text) : "?", line: token.line, isDynamic: true });
      return;
    }
    const from = next?.kind === "string" ? next : sourceOf(tokens, index);
    if (from !== undefined) imports.push({ from: unquoted(from.text), line: token.line, isDynamic: false });
  });
  return imports;
}

/** The string behind `from` of the import or export that begins at `index`, if it has one. */
function sourceOf(tokens: readonly Token[], index: number): Token | undefined {
  const isExport = tokens[index]?.text === "export";
  const first = tokens[index + 1]?.text === "type" ? tokens[index + 2] : tokens[index + 1];
  if (isExport && first?.text !== "{" && first?.text !== "*") return undefined;
  for (let at = index + 1; at < tokens.length; at++) {
    const token = tokens[at];
    if (token?.text === "from" && tokens[at + 1]?.kind === "string") return tokens[at + 1];
    if (token?.text === ";" || token?.text === "=" || token?.text === "(") return undefined;
  }
  return undefined;
}

function unquoted(literal: string): string {
  return literal.replace(/^["']|["']$/g, "");
}

const CONTROL = new Set(["if", "for", "while", "switch", "catch", "with"]);

/** Functions, methods and arrows with a body, outermost and inner ones, as far as they can be told without a parser. */
export function functionsOf({ tokens }: SourceFile): FunctionSpan[] {
  const partner = pairs(tokens);
  const spans: FunctionSpan[] = [];
  tokens.forEach((token, index) => {
    if (token.text !== "{" || token.kind !== "punctuation") return;
    const end = tokens[partner.get(index) ?? -1];
    const name = end === undefined ? undefined : nameOfBody(tokens, index, partner);
    if (name === undefined || end === undefined) return;
    const start = tokens[name.index] ?? token;
    spans.push({ name: name.text, line: start.line, lineCount: end.line - start.line + 1 });
  });
  return spans;
}

/** Where each bracket's other end is, both ways. */
function pairs(tokens: readonly Token[]): Map<number, number> {
  const partner = new Map<number, number>();
  const open: number[] = [];
  tokens.forEach((token, index) => {
    if (token.kind !== "punctuation") return;
    if (["(", "[", "{"].includes(token.text)) open.push(index);
    else if ([")", "]", "}"].includes(token.text)) {
      const from = open.pop();
      if (from === undefined) return;
      partner.set(from, index);
      partner.set(index, from);
    }
  });
  return partner;
}

/** The name in front of the parameters that belong to the body at `index`; nothing where it is no function's body. */
function nameOfBody(
  tokens: readonly Token[],
  index: number,
  partner: ReadonlyMap<number, number>,
): { readonly text: string; readonly index: number } | undefined {
  const isArrow = tokens[index - 1]?.text === "=>";
  const close = parametersBefore(tokens, isArrow ? index - 1 : index, partner);
  const open = close === undefined ? undefined : partner.get(close);
  if (open === undefined) return isArrow ? { text: "(arrow)", index: index - 1 } : undefined;
  let at = open - 1;
  if (tokens[at]?.text === ">") while (at > 0 && tokens[at]?.text !== "<") at--;
  if (tokens[at]?.text === "<") at--;
  if (isArrow) {
    if (tokens[at]?.text === "async") at--;
    const isNamed = ["=", ":"].includes(tokens[at]?.text ?? "") && tokens[at - 1]?.kind === "word";
    return isNamed ? { text: tokens[at - 1]?.text ?? "", index: at - 1 } : { text: "(arrow)", index: open };
  }
  const word = tokens[at];
  if (word?.kind !== "word" || CONTROL.has(word.text)) return undefined;
  return { text: word.text === "function" ? "(function)" : word.text, index: at };
}

/** The `)` that ends the parameters in front of the body at `index`, a return type between them skipped. */
function parametersBefore(
  tokens: readonly Token[],
  index: number,
  partner: ReadonlyMap<number, number>,
): number | undefined {
  // `): {` begins the return type, not the body.
  if (tokens[index - 1]?.text === ":") return undefined;
  for (let at = index - 1; at >= 0 && index - at < 60; at--) {
    const { text, kind } = tokens[at] as Token;
    if (text === ")" && (at === index - 1 || tokens[at + 1]?.text === ":")) return at;
    if (kind === "punctuation" && ["]", "}", ")"].includes(text)) {
      at = partner.get(at) ?? 0;
      const isType = [":", "|", "&", "<", ",", "=>"].includes(tokens[at - 1]?.text ?? "");
      if (text === "}" && !isType) return undefined;
    } else if (BETWEEN_STATEMENTS.has(text)) return undefined;
  }
  return undefined;
}

/** No return type contains one of these. */
const BETWEEN_STATEMENTS = new Set([
  ";",
  "=",
  "{",
  "(",
  "return",
  "class",
  "interface",
  "else",
  "do",
  "try",
  "finally",
]);
