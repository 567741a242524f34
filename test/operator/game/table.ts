/** The rules with the mistakes that break them, and the crash points, as the tables of `docs/operator/game.md`. */
import { CRASH_POINTS, MISTAKES, type Mistake } from "./mistakes.ts";
import { RULE_NAMES, RULES } from "./rule-names.ts";

/** Markdown; a test holds the document to it. */
export function tables(): { readonly rules: string; readonly crashPoints: string } {
  const rules = RULE_NAMES.map((rule) =>
    row(rule, RULES[rule], names(MISTAKES.filter(({ breaks }) => breaks === rule))),
  );
  const points = Object.entries(CRASH_POINTS).map(([point, next]) =>
    row(point, next, names(MISTAKES.filter(({ crashPoint }) => crashPoint === point))),
  );
  return {
    rules: ["| rule | what it says | mistakes that break it |", "|---|---|---|", ...rules].join("\n"),
    crashPoints: ["| it dies after | the next one | mistake |", "|---|---|---|", ...points].join("\n"),
  };
}

function row(...cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function names(mistakes: readonly Mistake[]): string {
  return mistakes.map(({ name }) => `\`${name}\``).join(", ");
}
