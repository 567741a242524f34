import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import { FULL, rendered, SMALL, TLS } from "../../test/operator/rendered.ts";
import { projectFolder } from "../../test/support/project.ts";

const GOLDEN = { small: SMALL, full: FULL, tls: TLS } as const;

/** Set to rewrite the files; the difference is then for a person to read. */
const IS_WRITING = process.env["KVORUM_WRITE_GOLDEN"] === "1";

for (const [name, cluster] of Object.entries(GOLDEN)) {
  test(`the objects of a ${name} cluster are those of test/golden/operator/${name}.yaml`, () => {
    const path = join(projectFolder, "test", "golden", "operator", `${name}.yaml`);
    // As the API server reads them: what is undefined is not there.
    const objects = JSON.parse(JSON.stringify(rendered(cluster))) as object[];
    const text = objects
      .map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }))
      .join("---\n");
    if (IS_WRITING) writeFileSync(path, text);
    assert.equal(text, readFileSync(path, "utf8"));
  });
}
