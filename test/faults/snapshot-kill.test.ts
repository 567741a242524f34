/**
 * kill -9 of a member at random moments while it takes in the state of another: it starts again every time, comes level in
 * the end, and nothing that was acknowledged is missing. Takes CYCLES and SEED; what a kill meets is the machine's affair.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../server/base/prng.ts";
import { type ClusterMember, ClusterProcess, ours } from "../support/cluster-process.ts";

const CYCLES = Number(process.env["CYCLES"] ?? 10);
const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const FLAGS = ["--snapshot-count=20", "--snapshot-catchup-entries=5", "--backend-batch-interval=20ms"];
const WRITES = 40;
const VALUE_BYTES = 100_000;
const RECEIVING = "receiving database snapshot";
const LOADED = "loaded the state that another member sent";
const INSTALLED = "installed the state that another member sent";
const REPAIRED = "the log does not say so yet";

test(`${CYCLES} times kill -9 while a state comes in lose nothing (seed ${SEED})`, async (t) => {
  const random = new Prng(SEED);
  const cluster = await ClusterProcess.start(ours("m0", "m1", "m2"), FLAGS);
  const [first, , victim] = cluster.members as [ClusterMember, ClusterMember, ClusterMember];
  const written: string[] = [];
  const seen = { receiving: 0, loaded: 0, installed: 0, repaired: 0 };
  try {
    await victim.server.stop("SIGKILL");
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const keys = Array.from({ length: WRITES }, (_, n) => `key ${cycle} ${n}`);
      const value = new Uint8Array(VALUE_BYTES).fill(65 + (cycle % 26));
      await Promise.all(keys.map((key) => cluster.eventually("it is written", () => first.put(key, value))));
      written.push(...keys);
      const exited = victim.server.spawn();
      if (await says(victim, RECEIVING, exited)) {
        // Half of the kills anywhere until it is loaded, the others around the moment when the stores are exchanged.
        if (cycle % 2 === 1) await says(victim, LOADED, exited);
        const delayMs = random.below(cycle % 2 === 1 ? 200 : 100 * (cycle + 1));
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
      await victim.server.stop("SIGKILL");
      const { log } = victim.server;
      if (log.includes(RECEIVING)) seen.receiving++;
      if (log.includes(LOADED)) seen.loaded++;
      if (log.includes(INSTALLED)) seen.installed++;
      if (log.includes(REPAIRED)) seen.repaired++;
    }
    await victim.server.launch();
    if (victim.server.log.includes(REPAIRED)) seen.repaired++;
    const { hash, revision } = await cluster.level();
    for (const key of written) assert.ok((await victim.local(key)) !== undefined, `"${key}" is there`);
    t.diagnostic(`${JSON.stringify(seen)}; HashKV ${hash} at revision ${revision}`);
    assert.ok(seen.receiving > CYCLES / 2, "kills met snapshots");
  } catch (error) {
    t.diagnostic(cluster.logs);
    throw error;
  } finally {
    await cluster.remove();
  }
});

/** Whether it has logged that; false when there is nothing to take in. Rejects when it ends by itself. */
async function says(victim: ClusterMember, words: string, exited: Promise<unknown>): Promise<boolean> {
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  for (const end = performance.now() + 15_000; performance.now() < end; await tick()) {
    if (victim.server.log.includes(words)) return true;
    if (ended) throw new Error(`the member ended by itself:\n${victim.server.log}`);
  }
  return false;
}

function tick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}
