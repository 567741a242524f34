/**
 * `npm start`: prepares the clone when that has not been done, then becomes the server: the program runs in this very
 * process, so that signals and exit codes are its own. It is told that a person started it and may be talked to.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { prepare, root } from "./prepare.mjs";

prepare();
const program = join(root, "dist", "server", "cli", "main.js");
if (!existsSync(program)) {
  process.stderr.write("kvorum: there is no server/cli/main.ts in this source tree to start.\n");
  process.exit(1);
}
process.env["KVORUM_START"] = "person";
process.argv.splice(1, 1, program);
await import(pathToFileURL(program).href);
