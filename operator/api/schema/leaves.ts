/** Leaves that many fields share: names, quantities, durations, labels; each with its bounds and its rule. */
import { DURATION_PATTERN, MAX_DURATION_LENGTH } from "../duration.ts";
import { GROUP } from "../names.ts";
import { MAX_QUANTITY_LENGTH } from "../quantity.ts";
import { map, type Node, type Options, object, type Rule, string } from "./node.ts";

/** Of an object of Kubernetes. */
const SUBDOMAIN = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$";
/** Of a container, a volume, a Service. */
const LABEL_NAME = "^[a-z]([a-z0-9-]*[a-z0-9])?$";
const LABEL_KEY =
  "^([a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$";
const LABEL_VALUE = "^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$";

/** How many labels or annotations one map may have. */
const MAX_MARKS = 64;

/** Name of an object in the same namespace, or of one that lies in none. */
export function objectName(description: string, options: Options = {}): Node<string> {
  return string(description, { minLength: 1, maxLength: 253, pattern: SUBDOMAIN, ...options });
}

/** A name without dots that begins with a letter. */
export function shortName(description: string, options: Options & { readonly maxLength?: number } = {}): Node<string> {
  return string(description, { minLength: 1, maxLength: 63, pattern: LABEL_NAME, ...options });
}

export function labelKey(description: string, options: Options = {}): Node<string> {
  return string(description, { minLength: 1, maxLength: 317, pattern: LABEL_KEY, ...options });
}

export function labelValue(description: string): Node<string> {
  return string(description, { maxLength: 63, pattern: LABEL_VALUE });
}

/** `{ name }` of a Secret or the like. */
export function nameOf(what: string, options: Options = {}): Node<{ readonly name: string }> {
  return object(`${what}, in the same namespace.`, { ...options, always: { name: objectName("Its name.") } });
}

const NOT_OURS: Rule = {
  rule: `self.all(key, !key.startsWith('${GROUP}/'))`,
  message: `keys that begin with ${GROUP}/ are the operator's: choose another prefix`,
  reason: "FieldValueForbidden",
};

/** Labels that a person gives. */
export function labels(description: string, options: Options = {}): Node<Readonly<Record<string, string>>> {
  return map(description, labelValue("The label's value."), {
    maxProperties: MAX_MARKS,
    rules: [NOT_OURS],
    ...options,
  });
}

/** Annotations that a person gives. */
export function annotations(description: string, options: Options = {}): Node<Readonly<Record<string, string>>> {
  const value = string("The annotation's value.", { maxLength: 8192 });
  return map(description, value, { maxProperties: MAX_MARKS, rules: [NOT_OURS], ...options });
}

/** A quantity from `minimum` to `maximum`, as text. */
export function quantity(
  description: string,
  options: Options & { readonly minimum: string; readonly maximum: string },
): Node<string> {
  const { minimum, maximum, rules = [], ...rest } = options;
  const bounds: Rule = {
    rule:
      `isQuantity(self) && quantity(self).compareTo(quantity('${minimum}')) >= 0 && ` +
      `quantity(self).compareTo(quantity('${maximum}')) <= 0`,
    message: `must be a quantity from ${minimum} to ${maximum}, with a suffix such as Mi or Gi`,
  };
  return string(description, { ...rest, minLength: 1, maxLength: MAX_QUANTITY_LENGTH, rules: [bounds, ...rules] });
}

/** CEL that holds for texts which `duration()` can read. */
export function isDuration(self: string): string {
  return `${self} != '' && ${self}.matches('${DURATION_PATTERN}')`;
}

/** A duration from `minimum` to `maximum`. */
export function duration(
  description: string,
  options: Options & { readonly minimum: string; readonly maximum: string },
): Node<string> {
  const { minimum, maximum, rules = [], ...rest } = options;
  const bounds: Rule = {
    rule: `${isDuration("self")} && duration(self) >= duration('${minimum}') && duration(self) <= duration('${maximum}')`,
    message: `must be a duration from ${minimum} to ${maximum}, in whole h, m, s and ms, such as 10m or 1h30m`,
  };
  return string(description, { ...rest, minLength: 1, maxLength: MAX_DURATION_LENGTH, rules: [bounds, ...rules] });
}
