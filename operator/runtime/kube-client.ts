/**
 * The real Kubernetes: where it is and as whom we come, from a kubeconfig or from the Pod that we run in. The only file
 * that knows @kubernetes/client-node, of which it takes the reading of configurations and the authentication; its calls,
 * watches and informer are not used, as they drop fields, swallow errors and stop for good.
 */

import http from "node:http";
import https from "node:https";
import { isDeepStrictEqual } from "node:util";
import { KubeConfig } from "@kubernetes/client-node";
import type { Connection } from "./http-call.ts";
import type { Kube } from "./kube.ts";
import { type Connections, RestClient, type RestClientOptions } from "./rest-client.ts";
import type { Time } from "./time.ts";

export interface KubeClientOptions extends Omit<RestClientOptions, "connections"> {
  /** Path of a kubeconfig. Absent: KUBECONFIG, the Pod's service account, ~/.kube/config. */
  readonly kubeconfig?: string;
  /** Context of the kubeconfig. Absent: its current one. */
  readonly context?: string;
}

export interface KubeClient {
  readonly kube: Kube;
  /** Of the context, or of the Pod. */
  readonly namespace: string | undefined;
  /** URL of the API server, for messages. */
  readonly server: string;
}

/** Credentials are looked at again so often: tokens and certificates in files change under us. */
const CREDENTIALS_FOR_MS = 30_000;

/** Kept connections that are not in use are closed after so long, before the API server does. */
const FREE_SOCKET_MS = 60_000;

/** Connections at once: a dozen watches, and the calls of all workers. */
const MAX_SOCKETS = 64;

/** What makes a connection another one. */
const IDENTITY = ["ca", "cert", "key", "pfx", "passphrase", "rejectUnauthorized", "servername"] as const;

/** Fails when there is no configuration, or it names no cluster. Nothing is sent yet. */
export function openKubeClient(options: KubeClientOptions): KubeClient {
  const connections = new KubeConfigConnections(options);
  return {
    kube: new RestClient({ ...options, connections }),
    namespace: connections.namespace,
    server: connections.server,
  };
}

class KubeConfigConnections implements Connections {
  readonly #options: KubeClientOptions;
  readonly #time: Time;
  #config: KubeConfig;
  #connection: Connection | undefined;
  #readAt = 0;
  #identity: object | undefined;

  constructor(options: KubeClientOptions) {
    this.#options = options;
    this.#time = options.time;
    this.#config = load(options);
  }

  get namespace(): string | undefined {
    return this.#config.getContextObject(this.#config.currentContext)?.namespace;
  }

  get server(): string {
    return this.#config.getCurrentCluster()?.server ?? "";
  }

  renew(): void {
    this.#config = load(this.#options);
    this.#readAt = Number.NEGATIVE_INFINITY;
  }

  async current(): Promise<Connection> {
    const kept = this.#connection;
    if (kept !== undefined && this.#time.monotonic() - this.#readAt < CREDENTIALS_FOR_MS) return kept;
    const readAt = this.#time.monotonic();
    const headers: Record<string, string> = {};
    let made: http.Agent | undefined;
    await this.#config.applySecurityAuthentication({
      setHeaderParam: (name: string, value: string) => {
        // A token file may end with a newline, which no header may hold.
        headers[name] = value.trim();
      },
      setAgent: (agent: http.Agent) => {
        made = agent;
      },
    } as unknown as Parameters<KubeConfig["applySecurityAuthentication"]>[0]);
    this.#connection = { server: new URL(this.server), headers, agent: this.#agent(made as http.Agent) };
    this.#readAt = readAt;
    return this.#connection;
  }

  /** The connections that are there are kept for as long as they are the same; those of before end by themselves. */
  #agent(made: http.Agent): http.Agent {
    const given = (made as http.Agent & { options?: https.AgentOptions }).options ?? {};
    const identity = Object.fromEntries(IDENTITY.map((name) => [name, given[name]]));
    const kept = this.#connection?.agent;
    if (kept !== undefined && isDeepStrictEqual(identity, this.#identity)) return kept;
    this.#identity = identity;
    // Through a proxy, connections are made as its agent does.
    if (this.#config.getCurrentCluster()?.proxyUrl) return made;
    const options = { keepAlive: true, timeout: FREE_SOCKET_MS, maxSockets: MAX_SOCKETS };
    if (this.server.startsWith("http:")) return new http.Agent(options);
    const set = Object.fromEntries(Object.entries(identity).filter(([, value]) => value !== undefined));
    return new https.Agent({ ...options, ...set });
  }
}

function load({ kubeconfig, context }: KubeClientOptions): KubeConfig {
  const config = new KubeConfig();
  const { KUBECONFIG, KUBERNETES_SERVICE_HOST } = process.env;
  if (kubeconfig !== undefined) config.loadFromFile(kubeconfig);
  else if (!KUBECONFIG && KUBERNETES_SERVICE_HOST) config.loadFromCluster();
  else config.loadFromDefault();
  if (config.currentContext === "loaded-context")
    throw new Error(
      "no Kubernetes was named: this is no Pod, and neither KUBECONFIG nor ~/.kube/config leads to one; set --kubeconfig",
    );
  if (context !== undefined) config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  if (!cluster?.server)
    throw new Error(`the kubeconfig has no cluster for its context "${config.currentContext}": choose another context`);
  // Without a user the library forgets the authority as well.
  if (cluster.server.startsWith("https:") && config.getCurrentUser() === null)
    throw new Error(
      `the kubeconfig has no user for its context "${config.currentContext}": name one, if only an empty one`,
    );
  // The library refuses plain http unless told not to verify, and there is nothing to verify.
  config.clusters = config.clusters.map((one) =>
    one.server?.startsWith("http:") ? { ...one, skipTLSVerify: true } : one,
  );
  return config;
}
