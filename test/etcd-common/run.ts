/**
 * `npm run test:etcd-common`: the rows of etcd's own black-box suite that `rows.txt` lists, on our server. The suite is a
 * program that KVORUM_ETCD_COMMON names: it takes `--minimal --retry 0 --run REGEX`, starts the server that SERVER_BIN names, and
 * leaves one line for each row in `etcd-common/SUITE_LABEL/results.tsv` below SUITE_OUT. It needs root. Words as
 * arguments choose the rows that contain one of them.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFolder } from "../support/project.ts";

const SUITE = process.env["KVORUM_ETCD_COMMON"] ?? "";
const LABEL = "kvorum";

process.exitCode = await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<number> {
  const rows = listed().filter((row) => words.length === 0 || words.some((word) => row.includes(word)));
  if (rows.length === 0) {
    console.log(words.length === 0 ? "rows.txt lists nothing" : `no row is named like ${words.join(" or ")}`);
    return 1;
  }
  if (!existsSync(SUITE) || process.getuid?.() !== 0) {
    console.log(
      `SKIPPED: ${rows.length} rows of etcd's black-box suite. It needs root, and KVORUM_ETCD_COMMON naming the suite`,
    );
    return process.env["KVORUM_NO_SKIP"] === "1" ? 1 : 0;
  }
  const results = await runSuite(rows);
  const isLost = (row: string) => results.get(row) !== "pass";
  // Its tests have short time limits: on a busy machine a row gets a second chance, which is told.
  const again = rows.filter(isLost);
  if (again.length > 0) {
    for (const [row, result] of await runSuite(again)) results.set(row, result);
    for (const row of again) if (!isLost(row)) console.log(`passed at the second try: ${row}`);
  }
  const lost = rows.filter(isLost);
  for (const row of lost) console.log(`lost: ${row} (${results.get(row) ?? "not run"})`);
  console.log(`${rows.length - lost.length} passed, ${lost.length} failed`);
  return lost.length === 0 ? 0 : 1;
}

/** One row a line, as the suite names it; a line that begins with # is for people. */
function listed(): string[] {
  return readFileSync(join(projectFolder, "test", "etcd-common", "rows.txt"), "utf8")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** What became of every row that the suite ran: the whole tests that our rows belong to. Its own verdict is not ours. */
async function runSuite(rows: readonly string[]): Promise<Map<string, string>> {
  const tests = new Set(rows.map((row) => row.split("/")[0]));
  const folder = mkdtempSync(join(tmpdir(), "kvorum-etcd-common-"));
  try {
    const server = `${process.execPath} ${join(projectFolder, "dist", "server", "cli", "main.js")}`;
    const child = spawn(SUITE, ["--minimal", "--retry", "0", "--run", `^(${[...tests].join("|")})$`], {
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, SERVER_BIN: server, SUITE_OUT: folder, SUITE_LABEL: LABEL },
    });
    await once(child, "close");
    const file = join(folder, "etcd-common", LABEL, "results.tsv");
    const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
    return new Map(lines.map((line) => line.split("\t")).map(([name = "", result = ""]) => [name, result]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
