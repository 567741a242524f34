/** What a plan knows of a class of storage. */
import type { KubeObject } from "../../runtime/kube.ts";

export interface StorageClassJson extends KubeObject {
  readonly allowVolumeExpansion?: boolean;
}

export function storageClassFacts({ allowVolumeExpansion }: StorageClassJson): { readonly allowsExpansion: boolean } {
  return { allowsExpansion: allowVolumeExpansion === true };
}
