/** Which image a member runs. */
import type { EtcdClusterSpec } from "../api/etcd-cluster.ts";
import type { OperatorDefaults } from "./member.ts";

/** By digest where there is one, else by version. */
export function imageOf({ image, version }: EtcdClusterSpec, { serverImage }: OperatorDefaults): string {
  const repository = image?.repository ?? serverImage;
  return image?.digest === undefined ? `${repository}:${version}` : `${repository}@${image.digest}`;
}
