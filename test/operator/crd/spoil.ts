/** From a place with a good value to bad ones: one for each bound that the schema has there. */
import type { Json, Node } from "../../../operator/api/schema/node.ts";
import type { Place } from "./places.ts";

export interface Spoiled {
  /** The bound: a keyword of the schema, or the message of a rule. */
  readonly bound: string;
  /** Nothing: the field is taken away. */
  readonly value: Json | undefined;
}

/** Values that a place must not have. Rules that need more than one place to be broken are not among them. */
export function spoiled(place: Place): Spoiled[] {
  const { node, value, isRequired } = place;
  return [
    { bound: "type", value: wrongType(node) },
    ...(isRequired ? [{ bound: "required", value: undefined }] : []),
    ...badText(node),
    ...badNumber(node),
    ...badList(node, value),
    ...badMap(node, value),
    ...badByRule(node, value),
  ];
}

function wrongType({ own }: Node): Json {
  switch (own.type) {
    case "string":
      return 7;
    case undefined:
      return true;
    default:
      return "text";
  }
}

function badText({ own }: Node): Spoiled[] {
  const bad: Spoiled[] = [];
  if (own.enum !== undefined) bad.push({ bound: "enum", value: "NoSuchWord" });
  if (own.pattern !== undefined) bad.push({ bound: "pattern", value: "!bad value!" });
  if (own.format === "date-time") bad.push({ bound: "format", value: "yesterday" });
  if (own.minLength !== undefined) bad.push({ bound: "minLength", value: "a".repeat(own.minLength - 1) });
  if (own.maxLength !== undefined) bad.push({ bound: "maxLength", value: "1".repeat(own.maxLength + 1) });
  return bad;
}

function badNumber({ own }: Node): Spoiled[] {
  if (own.minimum === undefined || own.maximum === undefined) return [];
  const bad: Spoiled[] = [{ bound: "minimum", value: own.minimum - 1 }];
  // Above it JSON has no whole numbers that are told apart.
  if (own.maximum < Number.MAX_SAFE_INTEGER) bad.push({ bound: "maximum", value: own.maximum + 1 });
  return bad;
}

function badList({ own }: Node, value: Json): Spoiled[] {
  if (own.type !== "array" || !Array.isArray(value)) return [];
  const [first = ""] = value as readonly Json[];
  const bad: Spoiled[] = [];
  const keys = own["x-kubernetes-list-map-keys"] ?? [];
  const another = (index: number): Json => {
    if (typeof first === "string") return own["x-kubernetes-list-type"] === "set" ? `${first}${index}` : first;
    return Object.fromEntries(
      Object.entries(first as object).map(([name, text]) => [name, name === keys[0] ? `${text}${index}` : text]),
    );
  };
  if (own.maxItems !== undefined)
    bad.push({ bound: "maxItems", value: Array.from({ length: own.maxItems + 1 }, (_, index) => another(index)) });
  if (own["x-kubernetes-list-type"] !== "atomic") bad.push({ bound: "twice", value: [first, first] });
  return bad;
}

function badMap({ own, values }: Node, value: Json): Spoiled[] {
  if (own.maxProperties === undefined) return [];
  const [sample = "a"] = values === undefined ? [] : Object.values(value as { readonly [key: string]: Json });
  const many = Array.from({ length: own.maxProperties + 1 }, (_, index) => [`key${index}`, sample]);
  return [{ bound: "maxProperties", value: Object.fromEntries(many) }];
}

/** For rules that look at their own place alone: by how their message begins, what breaks them. */
const BREAKERS: readonly (readonly [RegExp, (value: Json) => readonly Json[]])[] = [
  [/^must be a quantity from /, () => ["1", "7Ei", "much"]],
  [/^must be a duration from /, () => ["1ms", "999999h", "10 minutes", "1d"]],
  [/^keys that begin with /, (value) => [{ ...(value as object), "kvorum.dev/x": "y" }]],
  [/^data, etcd and names that begin with kvorum- /, () => ["data", "etcd", "kvorum-tls"]],
  [/^the server would read this as a setting/, () => ["ETCD_NAME", "KVORUM_X"]],
  [/^client and peers are Services of the operator/, () => ["client", "peers"]],
  [/^\/var\/lib\/etcd and \/etc\/kvorum are/, () => ["/var/lib/etcd", "/var/lib/etcd/x", "/etc/kvorum"]],
  [/^replicas must be odd/, () => [2, 4, 6]],
  [/^version must be three numbers/, () => ["v0.1.0", "0.1.x", "0.1.0-rc", "00.1.0"]],
  [/^give the flag's name without dashes/, () => ["--pre-vote", "pre-vote=true", "Pre"]],
  [
    /^this flag is set by the operator/,
    () => ["name", "data-dir", "initial-cluster-state", "force-new-cluster", "metrics"],
  ],
  [
    /^give the repository without tag and digest/,
    () => ["kvorum:0.1.0", "kvorum@sha256:aa", "example.com:5000/kvorum:1"],
  ],
  [/^must be a repository such as /, () => ["https://example.com/x", "example.com//x", "example.com/X Y", "-x"]],
];

function badByRule({ own }: Node, value: Json): Spoiled[] {
  return (own["x-kubernetes-validations"] ?? []).flatMap(({ message }) => {
    const breaker = BREAKERS.find(([begin]) => begin.test(message));
    return (breaker?.[1](value) ?? []).map((bad) => ({ bound: message, value: bad }));
  });
}
