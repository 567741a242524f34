/** What we call ourselves. Tools read etcd's version before every start and choose flags by it. */

/** The etcd whose API, flags and formats we speak. */
export const ETCD_VERSION = "3.7.3";

/** The cluster version that goes with it, and the version of the formats in the store. */
export const CLUSTER_VERSION = "3.7.0";

/** Our own; that of package.json. */
export const KVORUM_VERSION = "0.1.0";

/** Node's name of a machine to Go's, which tools know. */
const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", ppc64: "ppc64le" };

/** What `--version` prints: etcd's four lines, and our own version on a line of its own. */
export function versionText(): string {
  const architecture = GO_ARCHITECTURES[process.arch] ?? process.arch;
  return [
    `etcd Version: ${ETCD_VERSION}`,
    "Git SHA: none",
    `Go Version: none, Node.js ${process.version}`,
    `Go OS/Arch: ${process.platform}/${architecture}`,
    `Kvorum Version: ${KVORUM_VERSION}`,
    "",
  ].join("\n");
}
