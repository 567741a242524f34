/**
 * Where the Kubernetes comes from. With KVORUM_KUBERNETES (a folder of the programs `up`, `down`, `build-image`,
 * `node-down`, `node-up`) one is made and taken away again; with KUBECONFIG it is the one there, which must be able to
 * run the images, and whose nodes nobody switches off.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { must } from "./shell.ts";

export interface Harness {
  readonly kubeconfig: string;
  /** Builds `context`/Dockerfile and gives the image to every node; nothing where the images are somebody else's. */
  readonly buildImage: ((context: string, tag: string, options: readonly string[]) => Promise<void>) | undefined;
  /** Pulls the plug of a node, and switches it on again. */
  readonly nodes: { down(name: string): Promise<void>; up(name: string): Promise<void> } | undefined;
  down(): Promise<void>;
}

/** Or a sentence that says what is missing. */
export async function openHarness(): Promise<Harness | string> {
  const given = process.env["KUBECONFIG"];
  if (given !== undefined && given !== "") return foreign(given);
  const scripts = process.env["KVORUM_KUBERNETES"] ?? "";
  if (!existsSync(join(scripts, "up")) || process.getuid?.() !== 0)
    return (
      "it needs KUBECONFIG, and in that cluster the images kvorum-server:0.1.0, kvorum-server:0.1.1 and kvorum-operator:0.1.0; " +
      "or root, and KVORUM_KUBERNETES naming a folder with `up`, `down`, `build-image`, `node-down` and `node-up`"
    );
  return own(scripts);
}

function foreign(kubeconfig: string): Harness {
  return { kubeconfig, buildImage: undefined, nodes: undefined, down: async () => undefined };
}

async function own(scripts: string): Promise<Harness> {
  const run = async (name: string, ...argv: string[]): Promise<void> => {
    await must(join(scripts, name), argv, { limitMs: 600_000 });
  };
  const state = process.env["KVORUM_K8S"] ?? "/tmp/kvorum-k8s";
  await run("up");
  return {
    kubeconfig: join(state, "admin.kubeconfig"),
    buildImage: (context, tag, options) => run("build-image", context, tag, "--layers", ...options),
    nodes: { down: (name) => run("node-down", name), up: (name) => run("node-up", name) },
    down: () => run("down"),
  };
}
