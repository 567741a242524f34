/** What a Pod of a member may do: what Pod Security `restricted` demands, with a root file system that is read-only. */
import type { Passed, PodSpec } from "../api/etcd-cluster.ts";

/** A user that no image has; files of volumes belong to the group of the same number. */
const USER = 65532;

/** Of the Pod. What the spec says replaces a field as a whole. */
export function podSecurity({ podSecurityContext }: PodSpec): Passed {
  return {
    runAsNonRoot: true,
    runAsUser: USER,
    runAsGroup: USER,
    fsGroup: USER,
    // A volume with many files would be walked through at every start otherwise.
    fsGroupChangePolicy: "OnRootMismatch",
    seccompProfile: { type: "RuntimeDefault" },
    ...podSecurityContext,
  };
}

/** Of the member's container. What the spec says replaces a field as a whole. */
export function containerSecurity({ securityContext }: PodSpec): Passed {
  return {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ["ALL"] },
    readOnlyRootFilesystem: true,
    runAsNonRoot: true,
    seccompProfile: { type: "RuntimeDefault" },
    ...securityContext,
  };
}
