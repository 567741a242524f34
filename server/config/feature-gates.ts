/** Feature gates: etcd's switches for what is new or not yet sure, read from `--feature-gates`. */

export interface GateFacts {
  /** As the metric etcd_server_feature_enabled labels it. */
  readonly stage: "ALPHA" | "BETA";
  readonly enabled: boolean;
}

/** etcd 3.7's gates and their defaults, in the order of their names. */
export const FEATURE_GATES = {
  CompactHashCheck: { stage: "ALPHA", enabled: false },
  FastLeaseKeepAlive: { stage: "BETA", enabled: true },
  InitialCorruptCheck: { stage: "ALPHA", enabled: false },
  LeaseCheckpoint: { stage: "ALPHA", enabled: false },
  LeaseCheckpointPersist: { stage: "ALPHA", enabled: false },
  PriorityRequest: { stage: "ALPHA", enabled: false },
  SetMemberLocalAddr: { stage: "ALPHA", enabled: false },
  StopGRPCServiceOnDefrag: { stage: "ALPHA", enabled: false },
  TxnModeWriteWithSharedBuffer: { stage: "BETA", enabled: true },
} as const satisfies Record<string, GateFacts>;

export type FeatureGate = keyof typeof FEATURE_GATES | "AllAlpha" | "AllBeta";

const NAMES = ["AllAlpha", "AllBeta", ...Object.keys(FEATURE_GATES)] as readonly FeatureGate[];

const TRUE = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const FALSE = new Set(["0", "f", "F", "false", "FALSE", "False"]);

/** A boolean as Go reads one; undefined for anything else. */
export function parseBoolean(text: string): boolean | undefined {
  return TRUE.has(text) ? true : FALSE.has(text) ? false : undefined;
}

/** The gates that `text` names ("A=true,B=false"); throws an Error that says what is wrong. */
export function parseGates(text: string): ReadonlyMap<FeatureGate, boolean> {
  const gates = new Map<FeatureGate, boolean>();
  for (const part of text.split(",")) {
    if (part.trim() === "") continue;
    const equals = part.indexOf("=");
    const name = (equals < 0 ? part : part.slice(0, equals)).trim();
    if (equals < 0) throw new Error(`missing bool value for ${name}: write ${name}=true or ${name}=false`);
    const word = part.slice(equals + 1).trim();
    const value = parseBoolean(word);
    if (value === undefined) throw new Error(`invalid value of ${name}=${word}: write true or false`);
    const gate = NAMES.find((known) => known === name);
    if (gate === undefined) throw new Error(`unrecognized feature gate: ${name}; there are ${NAMES.join(", ")}`);
    gates.set(gate, value);
  }
  return gates;
}

/** Every gate as it stands: AllAlpha and AllBeta move those of their stage that were not named themselves. */
export function resolveGates(given: ReadonlyMap<FeatureGate, boolean>): Readonly<Record<FeatureGate, boolean>> {
  const all = { AllAlpha: given.get("AllAlpha") ?? false, AllBeta: given.get("AllBeta") ?? false };
  const resolved: Partial<Record<FeatureGate, boolean>> = { ...all };
  for (const [name, facts] of Object.entries(FEATURE_GATES) as [keyof typeof FEATURE_GATES, GateFacts][]) {
    const byStage = given.get(facts.stage === "ALPHA" ? "AllAlpha" : "AllBeta");
    resolved[name] = given.get(name) ?? byStage ?? facts.enabled;
  }
  return resolved as Record<FeatureGate, boolean>;
}

/** Stage of a gate, for the metric. */
export function gateStage(gate: FeatureGate): "ALPHA" | "BETA" {
  if (gate === "AllAlpha") return "ALPHA";
  return gate === "AllBeta" ? "BETA" : FEATURE_GATES[gate].stage;
}
