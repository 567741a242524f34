/** etcdctl of etcd 3.7 and 3.6 on our server: each command says what it says on etcd. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { BackgroundProgram, type Ended, runProgram } from "../support/program.ts";
import { ServerProcess } from "../support/server-process.ts";
import { findTool, requireTool } from "../support/tools.ts";

/** `check perf` at its smallest load takes a minute: the newer etcdctl is enough for it. */
const PERF_MS = 120_000;

/** STORE=etcd in the environment holds the expectations below against etcd itself. */
const etcd = process.env["STORE"] === "etcd" ? findTool("etcd") : undefined;

commands("etcdctl", { hasStream: true, checksPerformance: true });
commands("etcdctl-3.6", { hasStream: false, checksPerformance: false });

function commands(
  name: string,
  { hasStream, checksPerformance }: { readonly hasStream: boolean; readonly checksPerformance: boolean },
): void {
  describe(name, () => {
    let server: ServerProcess;
    before(async () => {
      server = await ServerProcess.start(etcd === undefined ? {} : { command: [etcd] });
    });
    after(() => server.remove());

    const env = () => ({ ETCDCTL_ENDPOINTS: server.endpoint });
    const path = findTool(name) ?? "";
    const run = (args: readonly string[], input?: string, timeoutMs?: number): Promise<Ended> =>
      runProgram(path, args, {
        env: env(),
        ...(input === undefined ? {} : { input }),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      });
    /** What a command that succeeds prints. */
    const output = async (...args: string[]): Promise<string> => {
      const ended = await run(args);
      assert.equal(ended.code, 0, `${name} ${args.join(" ")}: ${ended.errors}`);
      return ended.output;
    };
    /** The last line of a command that fails. */
    const failure = async (...args: string[]): Promise<string> => {
      const { code, errors } = await run(args);
      assert.notEqual(code, 0, `${name} ${args.join(" ")}`);
      return errors.trim().split("\n").at(-1) ?? "";
    };
    const json = async (...args: string[]) => JSON.parse(await output(...args, "--write-out=json"));
    const background = (...args: string[]) => new BackgroundProgram(path, args, { env: env() });
    /** A test that is skipped aloud without the program. */
    const command = (title: string, body: (t: TestContext) => Promise<void>) =>
      test(title, async (t) => {
        if (requireTool(t, name) !== undefined) await body(t);
      });

    command("put", async () => {
      assert.equal(await output("put", "p", "1"), "OK\n");
      assert.equal(await output("put", "p", "2", "--prev-kv"), "OK\np\n1\n");
      assert.equal(await output("put", "p", "--ignore-value"), "OK\n");
      assert.equal(await output("get", "p"), "p\n2\n");
      assert.equal(await failure("put", "none", "--ignore-value"), "Error: etcdserver: key not found");
      assert.equal(await failure("put", "p", "3", "--lease=404"), "Error: etcdserver: requested lease not found");
      assert.equal((await run(["put", "from-input"], "typed")).output, "OK\n");
      assert.equal(await output("get", "from-input", "--print-value-only"), "typed\n");
    });

    command("get, with each of its flags", async () => {
      const { header } = await json("put", "g/a", "3");
      const revision = header.revision;
      for (const [key, value] of [
        ["g/b", "1"],
        ["g/c", "2"],
        ["g/a", "4"],
      ] as const)
        await output("put", key, value);
      const keys = async (...args: string[]) => {
        const text = await output("get", ...args, "--keys-only");
        return text.split("\n").filter((line) => line !== "");
      };
      assert.equal(await output("get", "g/a"), "g/a\n4\n");
      assert.equal(await output("get", "g/a", "--print-value-only"), "4\n");
      assert.equal(await output("get", "g/a", `--rev=${revision}`, "--print-value-only"), "3\n");
      assert.equal(await output("get", "g/a", "--consistency=s", "--print-value-only"), "4\n");
      assert.equal(await output("get", "none"), "");
      assert.deepEqual(await keys("g/a", "g/c"), ["g/a", "g/b"]);
      assert.deepEqual(await keys("g/", "--prefix"), ["g/a", "g/b", "g/c"]);
      assert.deepEqual((await keys("g/b", "--from-key")).slice(0, 2), ["g/b", "g/c"]);
      assert.deepEqual(await keys("g/", "--prefix", "--limit=2"), ["g/a", "g/b"]);
      assert.deepEqual(await keys("g/", "--prefix", "--order=DESCEND"), ["g/c", "g/b", "g/a"]);
      assert.deepEqual(await keys("g/", "--prefix", "--sort-by=VALUE"), ["g/b", "g/c", "g/a"]);
      assert.deepEqual(await keys("g/", "--prefix", "--sort-by=CREATE", "--order=DESCEND"), ["g/c", "g/b", "g/a"]);
      assert.deepEqual(await keys("g/", "--prefix", "--sort-by=MODIFY"), ["g/b", "g/c", "g/a"]);
      assert.deepEqual(await keys("g/", "--prefix", "--sort-by=VERSION", "--order=DESCEND", "--limit=1"), ["g/a"]);
      assert.deepEqual(await keys("g/", "--prefix", `--min-mod-rev=${revision + 3}`), ["g/a"]);
      assert.deepEqual(await keys("g/", "--prefix", `--max-mod-rev=${revision + 1}`), ["g/b"]);
      assert.deepEqual(await keys("g/", "--prefix", `--min-create-rev=${revision + 2}`), ["g/c"]);
      assert.deepEqual(await keys("g/", "--prefix", `--max-create-rev=${revision}`), ["g/a"]);
      assert.match(await output("get", "g/", "--prefix", "--count-only", "--write-out=fields"), /"Count" : 3\n/);
      const found = await json("get", "g/a");
      const kv = { key: "Zy9h", value: "NA==", create_revision: revision, mod_revision: revision + 3, version: 2 };
      assert.deepEqual([found.count, found.kvs], [1, [kv]]);
      assert.match(await output("get", "g/a", "--hex"), /\\x67\\x2f\\x61/);
      assert.match(await output("get", "g/a", "--write-out=protobuf"), /g\/a/);
    });

    if (hasStream)
      command("get --stream", async () => {
        for (let at = 0; at < 30; at++) await output("put", `stream/${at}`, "v");
        const text = await output("get", "stream/", "--prefix", "--stream");
        assert.equal(text, await output("get", "stream/", "--prefix"));
      });

    command("del", async () => {
      for (const key of ["d/a", "d/b", "d/c", "d/d"]) await output("put", key, key.slice(2));
      assert.equal(await output("del", "d/a", "--prev-kv"), "1\nd/a\na\n");
      assert.equal(await output("del", "d/a"), "0\n");
      assert.equal(await output("del", "d/b", "d/c"), "1\n");
      assert.equal(await output("del", "d/", "--prefix", "--prev-kv"), "2\nd/c\nc\nd/d\nd\n");
      await output("put", "zzz", "");
      assert.equal(await output("del", "zz", "--from-key"), "1\n");
    });

    command("txn, from its standard input", async () => {
      await output("put", "t/user", "1");
      const request = ['value("t/user") = "1"', "", "put t/user 2", "get t/user", "", "get t/user", ""].join("\n");
      const first = await run(["txn"], `${request}\n`);
      assert.equal(first.output, "SUCCESS\n\nOK\n\nt/user\n2\n", first.errors);
      const second = await run(["txn"], `${request}\n`);
      assert.equal(second.output, "FAILURE\n\nt/user\n2\n", second.errors);
      const compares = ['mod("t/user") > "0"', 'create("t/user") > "0"', 'ver("t/user") = "2"'];
      const deleting = await run(["txn"], `${compares.join("\n")}\n\ndel t/user\n\n\n`);
      assert.equal(deleting.output, "SUCCESS\n\n1\n", deleting.errors);
    });

    command("watch: one key, a range, what was before, a program for each event", async () => {
      const { header } = await json("put", "w/a", "1");
      const from = `--rev=${header.revision}`;
      const key = background("watch", "w/a", from);
      const prefix = background("watch", "w/", "--prefix", "--prev-kv", from);
      const executing = background(
        "watch",
        "w/",
        "w0",
        from,
        "--",
        "sh",
        "-c",
        "echo $ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_VALUE",
      );
      await key.says((text) => text === "PUT\nw/a\n1\n");
      await output("put", "w/b", "2");
      await output("put", "w/a", "3");
      await output("del", "w/a");
      const isOver = (text: string) => text.includes("DELETE");
      assert.equal(await key.says(isOver), "PUT\nw/a\n1\nPUT\nw/a\n3\nDELETE\nw/a\n\n");
      const told = "PUT\nw/a\n1\nPUT\nw/b\n2\nPUT\nw/a\n1\nw/a\n3\nDELETE\nw/a\n3\nw/a\n\n";
      assert.equal((await prefix.says(isOver)).replaceAll("\n\n", "\n"), told.replaceAll("\n\n", "\n"));
      const commands = await executing.says((text) => text.includes('"DELETE" ""'));
      assert.deepEqual(commands.match(/^".*$/gm), ['"PUT" "1"', '"PUT" "2"', '"PUT" "3"', '"DELETE" ""']);
      for (const watch of [key, prefix, executing]) await watch.stop();
    });

    command("watch begins with what comes when no revision is asked for", async () => {
      const watching = background("watch", "now");
      let told = "";
      const seen = watching
        .says((text) => /\n\d+\n/.test(text)) // a pipe may cut it before
        .then((text) => {
          told = text;
        });
      for (let at = 1; told === ""; at++) await output("put", "now", String(at)); // until it is there
      await seen;
      assert.match(told, /^PUT\nnow\n\d+\n/);
      await watching.stop();
    });

    command("watch from its standard input, and with progress", async () => {
      const { header } = await json("put", "wi/a", "1");
      const input = `watch wi/a --rev=${header.revision}\nwatch wi/b --rev=${header.revision}\n`;
      const watching = new BackgroundProgram(
        "sh",
        ["-c", `(printf '${input}'; sleep 3) | ${path} watch -i --progress-notify`],
        {
          env: env(),
        },
      );
      await watching.says((text) => text.includes("PUT\nwi/a\n1\n"));
      await output("put", "wi/b", "2");
      await watching.says((text) => text.includes("PUT\nwi/b\n2\n"));
      await watching.stop("SIGKILL");
    });

    command("a watch whose revision was compacted says so", async () => {
      const { header } = await json("put", "wc", "1");
      await output("put", "wc", "2");
      assert.equal(
        await output("compaction", String(header.revision + 1)),
        `compacted revision ${header.revision + 1}\n`,
      );
      assert.equal(await failure("watch", "wc", `--rev=${header.revision}`), "Error: watch is canceled by the server");
    });

    command("lease", async () => {
      const granted = await output("lease", "grant", "600");
      const [, id = ""] = /^lease ([0-9a-f]+) granted with TTL\(600s\)\n$/.exec(granted) ?? [];
      await output("put", "l/a", "1", `--lease=${id}`);
      const left = await output("lease", "timetolive", id, "--keys");
      assert.match(
        left,
        new RegExp(
          `^lease ${id} granted with TTL\\(600s\\), remaining\\((600|599|598)s\\), attached keys\\(\\[l/a\\]\\)\n$`,
        ),
      );
      assert.match(await output("lease", "list"), new RegExp(`^found 1 leases\n${id}\n$`));
      assert.equal(await output("lease", "keep-alive", "--once", id), `lease ${id} keepalived with TTL(600)\n`);
      assert.equal(await output("lease", "revoke", id), `lease ${id} revoked\n`);
      assert.equal(await output("get", "l/a"), "");
      assert.equal(await output("lease", "timetolive", id), `lease ${id} already expired\n`);
      assert.match(await failure("lease", "revoke", id), /requested lease not found/);
    });

    command("lease keep-alive holds a lease beyond its time", async () => {
      const [, id = ""] = /^lease ([0-9a-f]+) /.exec(await output("lease", "grant", "2")) ?? [];
      await output("put", "l/held", "1", `--lease=${id}`);
      const holding = background("lease", "keep-alive", id);
      await holding.says((text) => text.split("\n").length > 4);
      assert.equal(await output("get", "l/held"), "l/held\n1\n");
      await holding.stop();
      await output("lease", "revoke", id);
    });

    command("compaction", async () => {
      const { header } = await json("put", "c", "1");
      await output("put", "c", "2");
      const revision = header.revision + 1;
      assert.equal(await output("compaction", String(revision), "--physical"), `compacted revision ${revision}\n`);
      const compacted = "Error: etcdserver: mvcc: required revision has been compacted";
      assert.equal(await failure("compaction", String(revision)), compacted);
      assert.equal(await failure("get", "c", `--rev=${header.revision}`), compacted);
      const future = "Error: etcdserver: mvcc: required revision is a future revision";
      assert.equal(await failure("compaction", "100000"), future);
      assert.equal(await failure("get", "c", "--rev=100000"), future);
    });

    command("endpoint status, health and hashkv", async () => {
      const [{ Status: status }] = await json("endpoint", "status");
      assert.match(status.version, /^3\.7\./);
      assert.equal(status.leader, status.header.member_id);
      const line = await output("endpoint", "status", "--cluster");
      assert.match(line, new RegExp(`^${server.url}, [0-9a-f]+, 3\\.7\\.\\d+, `));
      for (const flags of [[], ["--cluster"]])
        assert.match(await output("endpoint", "health", ...flags), /is healthy: successfully committed proposal/);
      await output("put", "hash", "1"); // at a revision that was compacted the hash would be that of the compaction
      const [{ HashKV: hash }] = await json("endpoint", "hashkv");
      assert.ok(hash.hash > 0 && hash.hash_revision === hash.header.revision);
      const [{ HashKV: again }] = await json("endpoint", "hashkv", `--rev=${hash.hash_revision}`);
      assert.equal(again.hash, hash.hash);
    });

    command("alarm, defrag, member list", async () => {
      assert.equal(await output("alarm", "list"), "");
      assert.equal(await output("alarm", "disarm"), "");
      assert.match(await output("defrag"), /^Finished defragmenting etcd member\[.*\]/);
      assert.match(await output("defrag", "--cluster"), /^Finished defragmenting etcd member\[.*\]/);
      const line = await output("member", "list");
      const peer = `http://127.0.0.1:${server.peerPort}`;
      assert.match(line, new RegExp(`^[0-9a-f]+, started, one, ${peer}, ${server.url}, false\n$`));
    });

    command("lock and elect", async () => {
      assert.equal(await output("lock", "mutex", "--", "echo", "held"), "held\n");
      const holder = background("lock", "mutex");
      await holder.says((text) => text.startsWith("mutex/"));
      const waiter = background("lock", "mutex", "--", "echo", "mine now");
      await new Promise((resolve) => setTimeout(resolve, 300));
      await holder.stop();
      assert.equal((await waiter.ended).output, "mine now\n");
      const leader = background("elect", "office", "first");
      await leader.says((text) => text.includes("first"));
      const observer = background("elect", "office", "--listen");
      await observer.says((text) => text.includes("first"));
      const next = background("elect", "office", "second");
      await leader.stop();
      await observer.says((text) => text.includes("second"));
      for (const program of [observer, next]) await program.stop();
    });

    command("make-mirror copies to another store", async () => {
      const other = await ServerProcess.start();
      try {
        await output("put", "mirror/a", "1");
        const mirror = background("make-mirror", "--prefix=mirror/", other.endpoint);
        const copied = async (key: string, value: string) => {
          const deadline = Date.now() + 10_000;
          const get = () =>
            runProgram(path, ["get", key, "--print-value-only"], { env: { ETCDCTL_ENDPOINTS: other.endpoint } });
          while ((await get()).output !== `${value}\n`) assert.ok(Date.now() < deadline, `${key} is not copied`);
        };
        await copied("mirror/a", "1");
        await output("put", "mirror/b", "2");
        await copied("mirror/b", "2");
        await mirror.stop("SIGKILL");
      } finally {
        await other.remove();
      }
    });

    command("snapshot save writes a file with a checksum behind it", async () => {
      const folder = mkdtempSync(join(tmpdir(), "kvorum-etcdctl-"));
      const file = join(folder, "db");
      assert.match(await output("snapshot", "save", file), /Snapshot saved at/);
      assert.equal(statSync(file).size % 512, 32, "whole pages, then a SHA-256");
      rmSync(folder, { recursive: true });
    });

    if (checksPerformance)
      command("check perf --load=s", async (t) => {
        const { code, output: text } = await run(["check", "perf", "--load=s"], undefined, PERF_MS);
        const verdicts = text.split("\n").filter((line) => /^(PASS|FAIL)/.test(line));
        for (const line of verdicts) t.diagnostic(line);
        assert.equal(code, 0, text.slice(-2000));
        assert.deepEqual(
          verdicts.map((line) => line.slice(0, 4)),
          ["PASS", "PASS", "PASS", "PASS"],
        );
      });
  });
}
