/** The cluster under test by its API: what the suite reads, writes and waits for. */
import { KubeConfig } from "@kubernetes/client-node";
import { type Answer, KubeApi } from "../../support/kube-api.ts";
import { must, type ShellOptions, shell } from "./shell.ts";

/** Any object, as far as the suite looks at it. */
export interface Thing {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
    readonly generation?: number;
  };
  // biome-ignore lint/suspicious/noExplicitAny: whatever the API has there
  readonly [field: string]: any;
}

const POLL_MS = 250;

/** Where kinds are found, with the namespace put in. */
const PATHS = {
  pods: (ns: string) => `/api/v1/namespaces/${ns}/pods`,
  claims: (ns: string) => `/api/v1/namespaces/${ns}/persistentvolumeclaims`,
  secrets: (ns: string) => `/api/v1/namespaces/${ns}/secrets`,
  configMaps: (ns: string) => `/api/v1/namespaces/${ns}/configmaps`,
  services: (ns: string) => `/api/v1/namespaces/${ns}/services`,
  events: (ns: string) => `/apis/events.k8s.io/v1/namespaces/${ns}/events`,
  budgets: (ns: string) => `/apis/policy/v1/namespaces/${ns}/poddisruptionbudgets`,
  leases: (ns: string) => `/apis/coordination.k8s.io/v1/namespaces/${ns}/leases`,
  clusters: (ns: string) => `/apis/kvorum.dev/v1alpha1/namespaces/${ns}/etcdclusters`,
  nodes: () => "/api/v1/nodes",
  namespaces: () => "/api/v1/namespaces",
} as const;

export type Kind = keyof typeof PATHS;

export class Kube {
  readonly #api: KubeApi;
  readonly #env: Readonly<Record<string, string>>;
  readonly #programs: { readonly kubectl: string; readonly helm: string };

  /** `kubeconfig`: its path. */
  constructor(kubeconfig: string, programs: { readonly kubectl: string; readonly helm: string }) {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    this.#api = new KubeApi(config);
    this.#env = { KUBECONFIG: kubeconfig };
    this.#programs = programs;
  }

  /** Nothing where it is not there. */
  async get(kind: Kind, namespace: string, name: string): Promise<Thing | undefined> {
    const answer = await this.#api.call("GET", `${PATHS[kind](namespace)}/${name}`);
    return answer.status === 404 ? undefined : (good(answer, `read ${kind} ${name}`) as Thing);
  }

  async list(kind: Kind, namespace = "", selector = ""): Promise<readonly Thing[]> {
    const query = selector === "" ? "" : `?labelSelector=${encodeURIComponent(selector)}`;
    const list = good(await this.#api.call("GET", PATHS[kind](namespace) + query), `list ${kind}`);
    return (list as { items: Thing[] }).items;
  }

  async create(kind: Kind, namespace: string, object: object): Promise<Thing> {
    return good(await this.#api.call("POST", PATHS[kind](namespace), object), `create in ${kind}`) as Thing;
  }

  /** A JSON merge patch; `part` is "" or "/status". */
  async patch(kind: Kind, namespace: string, name: string, change: object, part = ""): Promise<Thing> {
    const path = `${PATHS[kind](namespace)}/${name}${part}`;
    const type = "application/merge-patch+json";
    const answer = await this.#api.call("PATCH", path, change, "application/json", type);
    return good(answer, `patch ${kind} ${name}`) as Thing;
  }

  /** Whether it was there. */
  async delete(kind: Kind, namespace: string, name: string, graceSeconds?: number): Promise<boolean> {
    const options = graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds };
    const answer = await this.#api.call("DELETE", `${PATHS[kind](namespace)}/${name}`, options);
    if (answer.status === 404) return false;
    good(answer, `delete ${kind} ${name}`);
    return true;
  }

  /** Its output; an Error when it fails. */
  kubectl(argv: readonly string[], options: ShellOptions = {}): Promise<string> {
    return must(this.#programs.kubectl, argv, { ...options, env: { ...this.#env, ...options.env } });
  }

  helm(argv: readonly string[], options: ShellOptions = {}): ReturnType<typeof shell> {
    return shell(this.#programs.helm, argv, { ...options, env: { ...this.#env, ...options.env } });
  }

  get kubectlProgram(): string {
    return this.#programs.kubectl;
  }

  get env(): Readonly<Record<string, string>> {
    return this.#env;
  }
}

function good({ status, body }: Answer, what: string): unknown {
  if (status >= 200 && status < 300) return body;
  const { message } = body as { message?: string };
  throw new Error(`${what}: ${status} ${message ?? JSON.stringify(body).slice(0, 300)}`);
}

/** Asks until there is an answer, for at most so many seconds. What goes wrong while asking counts as no answer yet. */
export async function until<T>(
  what: string,
  seconds: number,
  ask: () => Promise<T | undefined | false>,
  pollMs = POLL_MS,
): Promise<T> {
  const end = performance.now() + seconds * 1000;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end)
      throw new Error(`not within ${seconds} s: ${what}${last instanceof Error ? ` (${last.message})` : ""}`);
    await pause(pollMs);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
