/** A load client in the cluster, followed by its log. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { clientServiceName } from "../../../operator/api/names.ts";
import { tlsSecretName } from "../../../operator/api/tls-names.ts";
import { CA, CLIENT } from "../../support/certificates.ts";
import { judge, type Verdict } from "./checker.ts";
import { AUTHORITY_MAP } from "./clusters.ts";
import { SERVER, TODAY } from "./images.ts";
import { type Kube, pause, until } from "./kube.ts";
import { type Batch, decode } from "./records.ts";
import { FIELD } from "./suite.ts";

const NODE = process.env["KVORUM_IMAGE_NODE"] ?? "/nodejs/bin/node";
/** Below the built files of the image, so that they find the client code that is there. */
const FOLDER = "/opt/kvorum/dist/test/kubernetes/operator";
const FILES = ["load.js", "records.js"] as const;
const CLIENT_SECRET = "load-client";
const PROGRAM_MAP = "load-program";

export interface LoadOptions {
  readonly name: string;
  readonly cluster: string;
  /** Where it runs: no step switches this node off. */
  readonly node?: string;
  /** Mistakes that it makes: "loss", "event". */
  readonly plants?: string;
}

/** What loads need beside their Pods: the program, and the client certificate with its authority. Once is enough. */
export async function prepareLoads(kube: Kube): Promise<void> {
  const program = FILES.map((file) => [file, readFileSync(new URL(file, import.meta.url), "utf8")] as const);
  const meta = (name: string) => ({ metadata: { name, namespace: FIELD } });
  const map = { apiVersion: "v1", kind: "ConfigMap" };
  await kube.create("configMaps", FIELD, { ...map, ...meta(PROGRAM_MAP), data: Object.fromEntries(program) });
  await kube.create("configMaps", FIELD, { ...map, ...meta(AUTHORITY_MAP), data: { "ca.crt": CA } });
  await kube.create("secrets", FIELD, {
    ...{ apiVersion: "v1", kind: "Secret", type: "kubernetes.io/tls" },
    ...meta(CLIENT_SECRET),
    stringData: { "tls.crt": CLIENT.cert, "tls.key": CLIENT.key },
  });
}

export class Load {
  readonly batches: Batch[] = [];
  readonly #kube: Kube;
  readonly #options: LoadOptions;
  #isOver = false;

  private constructor(kube: Kube, options: LoadOptions) {
    this.#kube = kube;
    this.#options = options;
  }

  /** Resolves when its first writes have been acknowledged. */
  static async start(kube: Kube, options: LoadOptions): Promise<Load> {
    const load = new Load(kube, options);
    const service = await kube.get("services", FIELD, clientServiceName(options.cluster));
    // By address: the name service may be on the node that a step switches off, and it is not what is tried here.
    const address = service?.["spec"]?.clusterIP as string | undefined;
    if (address === undefined) throw new Error(`there is no Service for clients of ${options.cluster}`);
    await kube.create("pods", FIELD, podOf(options, address));
    await until(`the load client ${options.name} runs`, 60, async () => {
      const pod = await kube.get("pods", FIELD, options.name);
      return pod?.["status"]?.phase === "Running";
    });
    void load.#follow();
    await load.fresh(30);
    return load;
  }

  /** Waits until a write has been acknowledged that was not when it was asked. */
  async fresh(seconds: number): Promise<void> {
    const from = this.batches.length;
    await until("a write is acknowledged", seconds, async () =>
      this.batches.slice(from).some((batch) => (batch.acked?.length ?? 0) > 0),
    );
  }

  /** Writers pause, what is there is read and judged with all that was before, and they go on. */
  async checkpoint(): Promise<Verdict> {
    const from = this.batches.length;
    await this.#signal("SIGUSR2");
    await until("the load client has looked", 90, async () =>
      this.batches.slice(from).some(({ state }) => state !== undefined),
    );
    return judge(this.batches);
  }

  /** The last look, at all keys; the Pod goes. */
  async end(): Promise<Verdict> {
    await this.#signal("SIGTERM");
    await until("the load client has ended", 120, async () => this.batches.at(-1)?.ended === true);
    this.#isOver = true;
    await this.#kube.delete("pods", FIELD, this.#options.name, 0);
    return judge(this.batches);
  }

  /** For whoever gives up. */
  stop(): void {
    this.#isOver = true;
  }

  async #signal(signal: string): Promise<void> {
    const tell = ["exec", "-n", FIELD, this.#options.name, "--", NODE, "-e", `process.kill(1, "${signal}")`];
    await this.#kube.kubectl(tell, { limitMs: 30_000 });
  }

  /** A stream that breaks is begun again; lines that are known already are passed over. */
  async #follow(): Promise<void> {
    while (!this.#isOver) {
      await new Promise<void>((resolve) => {
        const argv = ["logs", "-f", "-n", FIELD, this.#options.name];
        const child = spawn(this.#kube.kubectlProgram, argv, {
          stdio: ["ignore", "pipe", "ignore"],
          env: { ...process.env, ...this.#kube.env },
        });
        createInterface({ input: child.stdout }).on("line", (line) => {
          if (!this.#take(line)) child.kill();
        });
        child.once("error", () => resolve());
        child.once("close", () => resolve());
      });
      if (this.batches.at(-1)?.ended === true) return;
      await pause(500);
    }
  }

  /** False for the rest of a line that the stream has cut off: it has to be read again. */
  #take(line: string): boolean {
    let batch: Batch;
    try {
      batch = decode(line);
    } catch {
      return false;
    }
    if (batch.n >= this.batches.length) this.batches.push(batch);
    return true;
  }
}

function podOf({ name, cluster, node, plants = "" }: LoadOptions, address: string): object {
  const env = {
    LOAD_URL: `https://${address}:2379`,
    LOAD_SERVER_NAME: `${clientServiceName(cluster)}.${FIELD}.svc`,
    LOAD_TLS: "/tls",
    LOAD_PREFIX: `/${name}/`,
    LOAD_PLANT: plants,
  };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: FIELD },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 1,
      ...(node !== undefined && { nodeSelector: { "kubernetes.io/hostname": node } }),
      securityContext: {
        ...{ runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532 },
        seccompProfile: { type: "RuntimeDefault" },
      },
      containers: [
        {
          name: "load",
          image: `${SERVER}:${TODAY}`,
          imagePullPolicy: "IfNotPresent",
          command: [NODE, `${FOLDER}/load.js`],
          env: Object.entries(env).map(([variable, value]) => ({ name: variable, value })),
          securityContext: {
            ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
            capabilities: { drop: ["ALL"] },
          },
          volumeMounts: [
            // Each by itself: a mounted folder is made of links, and modules are looked for where a link leads.
            ...FILES.map((file) => ({ name: "program", mountPath: `${FOLDER}/${file}`, subPath: file })),
            { name: "server", mountPath: "/tls/server", readOnly: true },
            { name: "client", mountPath: "/tls/client", readOnly: true },
          ],
        },
      ],
      volumes: [
        { name: "program", configMap: { name: PROGRAM_MAP } },
        {
          name: "server",
          secret: { secretName: tlsSecretName(cluster, "server"), items: [{ key: "ca.crt", path: "ca.crt" }] },
        },
        { name: "client", secret: { secretName: CLIENT_SECRET } },
      ],
    },
  };
}
