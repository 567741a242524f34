/**
 * What `npm run check`, `npm test` and its sisters start: prepares the clone when that has not been done, then runs the
 * part that was asked for. `node test/launch.mjs PART [ARGUMENTS]`.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { install, packageFile, prepare, root } from "../server/cli/launch/prepare.mjs";

const [part = "test", ...options] = process.argv.slice(2);

switch (part) {
  case "check":
    check();
    break;
  case "crds":
    await runBuilt("operator/crd/write", options);
    break;
  case "attacks":
  case "bench":
  case "size":
  case "etcd-common":
  case "fairness":
    await runBuilt(`${part}/run`, options);
    break;
  case "operator-scale":
    await runBuilt("operator/scale/run", options);
    break;
  case "simulate":
    await runBuilt("simulation/run", options);
    break;
  case "campaign":
    await runBuilt("simulation/campaign", options);
    break;
  case "mistakes":
    await runBuilt("simulation/plant", options);
    break;
  case "chart":
    await runBuilt("operator/chart/generate", options);
    break;
  case "game":
    await runBuilt("operator/game/run", options);
    break;
  case "kubernetes": {
    const [subject = "store", ...variants] = options;
    await runBuilt(`kubernetes/${subject}`, variants);
    break;
  }
  default:
    await runBuilt("run", [part, ...options]);
}

/** Format and lint, then types. Both are always run: one look shows all there is to mend. */
function check() {
  install();
  const format = node(packageFile("@biomejs/biome/bin/biome"), ["check", ...options, "."]);
  const types = node(packageFile("typescript/bin/tsc"), ["--noEmit", "-p", root]);
  process.exitCode = format || types ? 1 : 0;
}

function node(program, argv) {
  return spawnSync(process.execPath, [program, ...argv], { cwd: root, stdio: "inherit" }).status ?? 1;
}

/** Becomes `test/NAME.ts`, as if it had been started with these arguments. */
async function runBuilt(name, argv) {
  prepare();
  const program = join(root, "dist", "test", `${name}.js`);
  if (!existsSync(program)) {
    process.stderr.write(`kvorum: there is no test/${name}.ts in this source tree.\n`);
    process.exit(1);
  }
  process.argv.splice(1, process.argv.length - 1, program, ...argv);
  await import(pathToFileURL(program).href);
}
