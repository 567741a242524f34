/**
 * Raft's rules as transcripts: every `*.txt` below this folder is run and must give what stands in it. `UPDATE=1` writes
 * what happened into the scripts instead; the diff is then read by a person. README.md has the commands, and a list of
 * what no script shows.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { projectFolder } from "../support/project.ts";
import type { TestCluster } from "../support/raft-cluster.ts";
import { complaintAbout, firstDifference, rewrite } from "./script.ts";
import { kindOf, linkOf } from "./words.ts";

const folder = join(projectFolder, "test", "raft-script");
const scripts = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".txt"))
  .sort();
const readScript = (name: string): string => readFileSync(join(folder, name), "utf8");

for (const name of scripts)
  test(`script ${name}`, () => {
    const text = readScript(name);
    const actual = rewrite(text);
    if (process.env["UPDATE"] === "1") {
      writeFileSync(join(folder, name), actual);
      return;
    }
    assert.equal(complaintAbout(text), undefined);
    assert.equal(firstDifference(text, actual), undefined);
  });

test("there are scripts", () => {
  assert.ok(scripts.length >= 90, `${scripts.length} scripts`);
});

// A script that cannot fail is worth nothing: mistakes planted in texts and in members must be seen.

test("planted: any expected line that is altered or missing is seen", () => {
  const text = readScript("election/a-majority-elects.txt");
  const lines = text.split("\n");
  let planted = 0;
  lines.forEach((line, at) => {
    if (!/^\s+\S/.test(line)) return;
    planted++;
    const altered = lines.with(at, `${line}0`).join("\n");
    const missing = lines.toSpliced(at, 1).join("\n");
    for (const wrong of [altered, missing])
      assert.match(firstDifference(wrong, rewrite(wrong)) ?? "", new RegExp(`^line ${at + 1},`));
  });
  assert.ok(planted > 10);
});

/** The difference between a script and what happens when the members are tampered with, if not an exception. */
function differenceOf(name: string, tamper: (cluster: TestCluster) => void): string {
  const text = readScript(name);
  try {
    return firstDifference(text, rewrite(text, tamper)) ?? "";
  } catch (error) {
    return (error as Error).message;
  }
}

test("planted: a message lost on its way is seen", () => {
  const lose = (cluster: TestCluster) => {
    cluster.filter = (message) => !(kindOf(message) === "vote-yes" && linkOf(message) === "2>1");
  };
  assert.match(differenceOf("election/a-majority-elects.txt", lose), /happened: {5}2>1 vote-yes term 1 \(lost\)/);
});

test("planted: a member that takes a refused append for an acknowledged one is seen", () => {
  const believe = (cluster: TestCluster) => {
    for (const { node } of cluster.members) {
      const step = node.step.bind(node);
      node.step = (message) => {
        if (kindOf(message) === "append-no") message.reject = false;
        step(message);
      };
    }
  };
  assert.notEqual(differenceOf("replication/figure-7.txt", believe), "");
});

test("planted: a vote given twice in a term is seen", () => {
  const forgetVote = (cluster: TestCluster) => {
    for (const { node } of cluster.members) {
      const step = node.step.bind(node);
      // As if the second candidate were the one that has the vote.
      node.step = (message) => step(kindOf(message) === "vote" ? { ...message, from: 1n } : message);
    }
  };
  assert.match(differenceOf("election/one-vote-a-term.txt", forgetVote), /expected/);
});

test("planted: a read answered at once by whoever believes to lead is seen", () => {
  const answerAtOnce = (cluster: TestCluster) => {
    for (const member of cluster.members) {
      member.node.readIndex = (context) => {
        member.reads.push({ index: member.node.commitIndex, context });
        return true;
      };
    }
  };
  assert.match(differenceOf("read/a-quorum-confirms-each-read.txt", answerAtOnce), /expected/);
});

test("planted: a leader that commits what only it counts is seen", () => {
  // As if entry 2, of an earlier term, were committed once 2 holds it.
  const tellTooMuch = (cluster: TestCluster) => {
    cluster.filter = (message) => {
      if (kindOf(message) === "append") message.commit = message.index + message.entries.length;
      return true;
    };
  };
  assert.notEqual(differenceOf("replication/only-the-own-term-is-counted.txt", tellTooMuch), "");
});

test("a script without a section or any output, and one with a command that cannot be, is refused", () => {
  const right = "# Raft paper, section 5.2.\n\ncampaign 1\n    1 is candidate in term 1\n";
  assert.equal(complaintAbout(right), undefined);
  assert.match(complaintAbout(right.replace("5.2", "")) ?? "", /section/);
  assert.match(complaintAbout(right.replace(/^ .*\n/m, "")) ?? "", /cannot fail/);
  assert.throws(() => rewrite("# x\ncluster voters=1\ncampain 1\n"), /line 3: campain 1: no such command/);
  assert.throws(() => rewrite("cluster voters=1 prevote=on\n"), /line 1: .*: no such option: prevote/);
  assert.throws(() => rewrite("cluster voters=1,2\ndeliver 1>2\n"), /line 2: .*: no such message is under way/);
});
