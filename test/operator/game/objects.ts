/** What the model reads out of the objects that an operator writes, as kubelet and etcd would. */
import type { Text } from "../../../operator/api/etcd-cluster.ts";
import { bytesOf } from "../../../operator/api/quantity.ts";
import type { Desired } from "../../../operator/plan/action.ts";
import type { StartFlags } from "./etcd.ts";

interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
}

interface PodSpec {
  readonly containers: readonly Container[];
  readonly volumes?: readonly { readonly persistentVolumeClaim?: { readonly claimName: string } }[];
}

interface Meta {
  readonly labels?: Text;
  readonly annotations?: Text;
  readonly ownerReferences?: readonly { readonly uid: string; readonly controller?: boolean }[];
}

export function labelsOf(object: Desired): Text {
  return (object.metadata as Meta).labels ?? {};
}

export function annotationsOf(object: Desired): Text {
  return (object.metadata as Meta).annotations ?? {};
}

export function ownerOf(object: Desired): string | undefined {
  return (object.metadata as Meta).ownerReferences?.find(({ controller }) => controller === true)?.uid;
}

export function requestOf(object: Desired): number {
  const { spec } = object as unknown as {
    readonly spec: { readonly resources: { readonly requests: { readonly storage: string } } };
  };
  return bytesOf(spec.resources.requests.storage);
}

export function claimOf(object: Desired): string | undefined {
  return podSpec(object).volumes?.find((one) => one.persistentVolumeClaim)?.persistentVolumeClaim?.claimName;
}

/** How the member is started. The image's tag is its version. */
export function flagsOf(object: Desired): { readonly flags: StartFlags; readonly args: readonly string[] } {
  const { containers } = podSpec(object);
  const container = containers.find(({ name }) => name === "etcd") ?? (containers[0] as Container);
  const args = [...(container.command ?? []), ...(container.args ?? [])];
  const flag = (name: string) => flagValue(args, name);
  const initialCluster = new Map<string, string>();
  for (const part of (flag("initial-cluster") ?? "").split(",")) {
    const at = part.indexOf("=");
    if (at > 0) initialCluster.set(part.slice(0, at), part.slice(at + 1));
  }
  const expectsData = flag("expect-data");
  const flags = {
    name: flag("name") ?? object.metadata.name,
    isNew: (flag("initial-cluster-state") ?? "new") === "new",
    expectsData: expectsData !== undefined && expectsData !== "false",
    token: flag("initial-cluster-token") ?? "",
    initialCluster,
    version: container.image.slice(container.image.lastIndexOf(":") + 1),
  };
  return { flags, args };
}

/** The value of `--name=value` or `--name value`; "" for `--name` alone; nothing when it is not there. */
function flagValue(args: readonly string[], name: string): string | undefined {
  for (const [at, arg] of args.entries()) {
    if (arg.startsWith(`--${name}=`)) return arg.slice(name.length + 3);
    if (arg !== `--${name}`) continue;
    const next = args[at + 1];
    return next === undefined || next.startsWith("--") ? "" : next;
  }
  return undefined;
}

function podSpec(object: Desired): PodSpec {
  return (object as unknown as { readonly spec: PodSpec }).spec;
}
