/** Label and field selectors, as the API server reads them. */
import { KubeError, type KubeObject } from "../../operator/runtime/kube.ts";

type Labels = Readonly<Record<string, string>>;

/** Whether these labels fit: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`, joined by commas. */
export function matchesLabels(selector: string | undefined, labels: Labels = {}): boolean {
  if (selector === undefined || selector.trim() === "") return true;
  return requirements(selector).every((requirement) => meets(requirement, labels));
}

/** Splits at commas outside of parentheses. */
function requirements(selector: string): readonly string[] {
  return selector.split(/,(?![^(]*\))/).map((part) => part.trim());
}

function meets(requirement: string, labels: Labels): boolean {
  const inSet = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(requirement);
  if (inSet) {
    const [, label = "", how, list = ""] = inSet;
    const values = list.split(",").map((value) => value.trim());
    const value = labels[label];
    return how === "in"
      ? value !== undefined && values.includes(value)
      : value === undefined || !values.includes(value);
  }
  const equal = /^([^=!\s]+)\s*(==|=|!=)\s*([^=!\s]*)$/.exec(requirement);
  if (equal) {
    const [, label = "", how, value] = equal;
    return how === "!=" ? labels[label] !== value : labels[label] === value;
  }
  const exists = /^(!?)\s*([^=!\s()]+)$/.exec(requirement);
  if (exists) return (labels[exists[2] as string] !== undefined) === (exists[1] === "");
  throw new KubeError(`unable to parse requirement "${requirement}"`, 400, "BadRequest");
}

/** Whether the fields that are named have these values: `metadata.name=a,status.phase!=Failed`. */
export function matchesFields(selector: string | undefined, object: KubeObject): boolean {
  if (selector === undefined || selector === "") return true;
  return selector.split(",").every((part) => {
    const [, path = "", how, wanted] = /^([\w.]+)(==|=|!=)(.*)$/.exec(part.trim()) ?? [];
    if (how === undefined) throw new KubeError(`invalid field selector "${part}"`, 400, "BadRequest");
    return (fieldAt(object, path) === wanted) === (how !== "!=");
  });
}

function fieldAt(object: unknown, path: string): string {
  let value = object;
  for (const name of path.split(".")) value = (value as Record<string, unknown> | undefined)?.[name];
  return value === undefined || value === null ? "" : String(value);
}
