/**
 * Rules in CEL that several places need. A rule that looks at `oldSelf` is not asked where a field appears or goes: what
 * is fixed, and may be absent, is held by its parent.
 */
import type { Rule } from "./node.ts";

/** Exactly one of these fields is there. */
export function exactlyOne(fields: readonly string[]): Rule {
  return {
    rule: `[${fields.map((name) => `has(self.${name})`).join(", ")}].exists_one(isGiven, isGiven)`,
    message: `give exactly one of ${fields.join(", ")}`,
  };
}

/** The value stays what it was; for fields that are always there. */
export function fixed(what: string): Rule {
  return {
    rule: "self == oldSelf",
    message: `${what} cannot be changed after creation`,
    reason: "FieldValueForbidden",
  };
}

/** The field of this object stays what it was, or stays absent. */
export function fixedField(name: string): Rule {
  return {
    rule: `has(self.${name}) == has(oldSelf.${name}) && (!has(self.${name}) || self.${name} == oldSelf.${name})`,
    message: `${name} cannot be set, changed or removed after creation`,
    fieldPath: `.${name}`,
    reason: "FieldValueForbidden",
  };
}

/** The field is there, or not, as it was. */
export function fixedPresence(name: string, message: string): Rule {
  return { rule: `has(self.${name}) == has(oldSelf.${name})`, message, reason: "FieldValueForbidden" };
}
