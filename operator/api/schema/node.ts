/**
 * A small language for the schema of a custom resource: each builder gives a node that carries its static type along,
 * so that the schema of the API server and the types of the program cannot drift apart. `json.ts` makes of it what
 * Kubernetes reads, `reference.ts` what people read.
 */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A rule in CEL. `message` is plain text: a computed one would be beyond the cost that Kubernetes allows. */
export interface Rule {
  readonly rule: string;
  readonly message: string;
  /** Below the node, such as ".electionTimeout": where the fault is shown. */
  readonly fieldPath?: string;
  readonly reason?: "FieldValueInvalid" | "FieldValueForbidden" | "FieldValueRequired" | "FieldValueDuplicate";
}

/** What follows when a field of a living cluster is changed. */
export type Change =
  /** No member is restarted. */
  | "live"
  /** The members are replaced one after another. */
  | "rolls"
  /** What is there stays; what is made from then on has it. */
  | "later"
  | "fixed";

/** What Kubernetes knows of a node itself, its children apart. */
export interface OwnSchema {
  /** Absent where a number may be written as text, too. */
  readonly type?: "object" | "array" | "string" | "integer" | "boolean";
  readonly anyOf?: readonly { readonly type: "string" | "integer" }[];
  readonly description: string;
  readonly default?: Json;
  readonly enum?: readonly string[];
  readonly format?: "int32" | "int64" | "date-time";
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly "x-kubernetes-list-type"?: "atomic" | "set" | "map";
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-preserve-unknown-fields"?: true;
  readonly "x-kubernetes-int-or-string"?: true;
  readonly "x-kubernetes-validations"?: readonly Rule[];
}

declare const TYPE: unique symbol;

/** A part of the schema whose values are of type `T`. Children inherit `change` unless they say otherwise. */
export interface Node<out T = unknown> {
  readonly own: OwnSchema;
  readonly change?: Change;
  readonly fields?: Fields;
  /** Fields that a person must write: those that are always there less those with a default. */
  readonly required?: readonly string[];
  readonly items?: Node;
  /** Of a map. */
  readonly values?: Node;
  /** Never there: holds the type. */
  readonly [TYPE]?: T;
}

export type Fields = Readonly<Record<string, Node>>;
export type TypeOf<N extends Node> = N extends Node<infer T> ? T : never;

type None = Record<never, never>;
type TypeOfFields<Always extends Fields, Maybe extends Fields> = {
  readonly [K in keyof Always]: TypeOf<Always[K]>;
} & { readonly [K in keyof Maybe]?: TypeOf<Maybe[K]> };

/** What any node may be given. */
export interface Options {
  readonly change?: Change;
  readonly default?: Json;
  readonly rules?: readonly Rule[];
}

type Bounds = Omit<OwnSchema, "type" | "description" | "default" | "x-kubernetes-validations">;

function node<T>(type: NonNullable<OwnSchema["type"]>, description: string, options: Options, bounds: Bounds): Node<T> {
  const { change, default: fallback, rules = [] } = options;
  const own: OwnSchema = {
    type,
    description,
    ...bounds,
    ...(fallback === undefined ? {} : { default: fallback }),
    ...(rules.length === 0 ? {} : { "x-kubernetes-validations": rules }),
  };
  return change === undefined ? { own } : { own, change };
}

/**
 * An object of known fields: those that are always there when it is read back, and those that may be absent. One with a
 * default belongs to the first, and nobody need write it.
 */
export function object<Always extends Fields = None, Maybe extends Fields = None>(
  description: string,
  shape: Options & { readonly always?: Always; readonly maybe?: Maybe; readonly isPassedOn?: true },
): Node<TypeOfFields<Always, Maybe>> {
  const { always, maybe, isPassedOn, ...options } = shape;
  const required = Object.entries(always ?? {}).flatMap(([name, { own }]) => (own.default === undefined ? [name] : []));
  return {
    ...node<TypeOfFields<Always, Maybe>>(
      "object",
      description,
      options,
      isPassedOn === undefined ? {} : { "x-kubernetes-preserve-unknown-fields": true },
    ),
    fields: { ...always, ...maybe },
    required,
  };
}

/** An object that says something by being there. */
export function nothing(description: string, options: Options = {}): Node<Readonly<Record<string, never>>> {
  return { ...node<Readonly<Record<string, never>>>("object", description, options, {}), fields: {} };
}

/** Text of at most `maxLength` characters. */
export function string(
  description: string,
  options: Options & { readonly maxLength: number; readonly minLength?: number; readonly pattern?: string },
): Node<string> {
  const { maxLength, minLength, pattern, ...rest } = options;
  const bounds = {
    ...(minLength === undefined ? {} : { minLength }),
    maxLength,
    ...(pattern === undefined ? {} : { pattern }),
  };
  return node("string", description, rest, bounds);
}

/** One of these words. */
export function oneOf<const Word extends string>(
  description: string,
  words: readonly Word[],
  options: Options & { readonly default?: NoInfer<Word> } = {},
): Node<Word> {
  return node("string", description, options, { enum: words });
}

/** A whole number; `int64` where the bounds need it. */
export function integer(
  description: string,
  options: Options & { readonly minimum: number; readonly maximum: number },
): Node<number> {
  const { minimum, maximum, ...rest } = options;
  const format = Math.max(-minimum, maximum) < 2 ** 31 ? "int32" : "int64";
  return node("integer", description, rest, { format, minimum, maximum });
}

/** A number, or text of this pattern: how people write processors ("2", "500m"). */
export function numberOrText(description: string, pattern: string, maxLength: number): Node<string | number> {
  const anyOf = [{ type: "integer" }, { type: "string" }] as const;
  return { own: { description, anyOf, pattern, maxLength, "x-kubernetes-int-or-string": true } };
}

export function boolean(description: string, options: Options = {}): Node<boolean> {
  return node("boolean", description, options, {});
}

/** RFC 3339. */
export function time(description: string): Node<string> {
  return node("string", description, {}, { format: "date-time", maxLength: 64 });
}

/** Text by name; at most `maxProperties`. */
export function map<T>(
  description: string,
  values: Node<T>,
  options: Options & { readonly maxProperties: number },
): Node<Readonly<Record<string, T>>> {
  const { maxProperties, ...rest } = options;
  return { ...node<Readonly<Record<string, T>>>("object", description, rest, { maxProperties }), values };
}

/** A list that is replaced whole. */
export function list<T>(description: string, items: Node<T>, options: Options & ListBounds): Node<readonly T[]> {
  return array(description, items, options, { "x-kubernetes-list-type": "atomic" });
}

/** A list of words without a repetition, which several people may add to. */
export function set(description: string, items: Node<string>, options: Options & ListBounds): Node<readonly string[]> {
  return array(description, items, options, { "x-kubernetes-list-type": "set" });
}

/** A list of objects told apart by `keys`, which are required in each. */
export function mapList<T>(
  description: string,
  keys: readonly string[],
  items: Node<T>,
  options: Options & ListBounds,
): Node<readonly T[]> {
  return array(description, items, options, {
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": keys,
  });
}

interface ListBounds {
  readonly maxItems: number;
  readonly minItems?: number;
}

function array<T>(
  description: string,
  items: Node<T>,
  options: Options & ListBounds,
  bounds: Bounds,
): Node<readonly T[]> {
  const { maxItems, minItems, ...rest } = options;
  const sizes = { ...(minItems === undefined ? {} : { minItems }), maxItems };
  return { ...node<readonly T[]>("array", description, rest, { ...sizes, ...bounds }), items };
}

/** A part of a Pod that is handed on as it is: Kubernetes holds it to its own schema when the Pod is made. */
export function passedOn(description: string, options: Options & { readonly maxProperties: number }): Node<Passed> {
  const { maxProperties, ...rest } = options;
  return node("object", description, rest, { maxProperties, "x-kubernetes-preserve-unknown-fields": true });
}

type Passed = Readonly<Record<string, unknown>>;

/** A part of a Pod whose fields are known here, and which is handed on without a look inside. */
export function asPassed(known: Node): Node<Passed> {
  return known as Node<Passed>;
}
