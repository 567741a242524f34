/**
 * Programs of others that tests run: real etcd, its clients, load generators. They are looked for where tests put them,
 * then on PATH. A test that lacks one is skipped aloud, with what to install; `KVORUM_NO_SKIP=1` makes that a failure.
 */
import { accessSync, constants, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";

/** Where tests put the programs they use. */
export const toolsFolder: string = join(
  process.env["KVORUM_TOOLS"] || join(homedir(), ".cache", "kvorum-tools"),
  "bin",
);

/** How a person gets a program that is missing. */
const ORIGINS: Readonly<Record<string, string>> = {
  etcd: "etcd 3.7 from github.com/etcd-io/etcd",
  etcdctl: "etcdctl of etcd 3.7 from github.com/etcd-io/etcd",
  etcdutl: "etcdutl of etcd 3.7 from github.com/etcd-io/etcd",
  "etcd-3.6": "etcd 3.6 from github.com/etcd-io/etcd, its program named etcd-3.6",
  "etcdctl-3.6": "etcdctl of etcd 3.6, named etcdctl-3.6",
  "etcdutl-3.6": "etcdutl of etcd 3.6, named etcdutl-3.6",
  "etcd-benchmark": "tools/benchmark of github.com/etcd-io/etcd, built with Go and named etcd-benchmark",
  go: "Go from go.dev",
  h2load: "h2load of nghttp2 (Debian: nghttp2-client)",
  h2spec: "h2spec from github.com/summerwind/h2spec",
  kubectl: "kubectl from kubernetes.io",
  helm: "helm 4 from helm.sh",
  "helm-3": "helm 3 from helm.sh, named helm-3",
  kubeconform: "kubeconform from github.com/yannh/kubeconform",
  strace: "the package strace",
  gcc: "a C compiler",
  python3: "Python 3",
};

/** The full path of program `name`, or nothing. */
export function findTool(name: string): string | undefined {
  for (const folder of [toolsFolder, ...(process.env["PATH"] ?? "").split(delimiter)]) {
    const path = join(folder, name);
    if (folder !== "" && isProgram(path)) return path;
  }
  return undefined;
}

/** As `findTool`, but marks the test as skipped, with what to install, when there is none: then return at once. */
export function requireTool(t: TestContext, name: string): string | undefined {
  const path = findTool(name);
  if (path === undefined)
    skipAloud(t, `no ${name} on PATH or in ${toolsFolder}: install ${ORIGINS[name] ?? `"${name}"`}`);
  return path;
}

/** Whether this process is root; if not the test is marked as skipped: then return at once. */
export function requireRoot(t: TestContext): boolean {
  const isRoot = process.getuid?.() === 0;
  if (!isRoot) skipAloud(t, "needs root");
  return isRoot;
}

/** Skips the test for a reason that a reader can act on; where skipping is forbidden it fails instead. */
export function skipAloud(t: TestContext, reason: string): void {
  if (process.env["KVORUM_NO_SKIP"] === "1") throw new Error(`may not be skipped here: ${reason}`);
  t.skip(reason);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
