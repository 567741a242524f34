/** The files that are made from the schema, as text: `npm run crds` writes them, a test finds them current. */
import { stringify } from "yaml";
import { exampleSpec, LEAST_SPEC } from "./example.ts";
import { API_VERSION } from "./names.ts";
import { etcdClusterCrd } from "./schema/crd.ts";
import { referencePage } from "./schema/reference.ts";

/** What is generated, by its place in the project. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ["crds/etcdclusters.yaml", crdText()],
    ["docs/etcdcluster.md", pageText()],
  ]);
}

function crdText(): string {
  const note = "# Made from operator/api/schema by `npm run crds`: change it there.\n";
  return note + stringify(etcdClusterCrd(), { lineWidth: 0, aliasDuplicateObjects: false });
}

function pageText(): string {
  const object = (spec: unknown) => ({
    apiVersion: API_VERSION,
    kind: "EtcdCluster",
    metadata: { name: "example" },
    spec,
  });
  return referencePage({ least: stringify(object(LEAST_SPEC)), full: stringify(object(exampleSpec())) });
}
