/**
 * What the conformance suite is run on: any program that takes etcd's flags. Each suite gets a server of its own, started
 * before its first test and ended after its last; that it is still there then, and has logged no error, is part of the suite.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { MEMBERS, Store } from "./store.ts";

export interface Target {
  readonly name: string;
  /** Program and leading arguments; ours, as built, when absent. */
  readonly command?: readonly string[];
}

export const KVORUM: Target = { name: "Kvorum" };

/** A suite as `npm test` and the comparison with etcd start it. */
export type Suite = (target: Target) => void;

/** What is asked of a member that leads because it is alone: skipped, aloud, on one of several. */
export function aloneTest(name: string, action: () => Promise<void>): void {
  const skip = MEMBERS > 1 ? "of a member that is alone" : false;
  void test(name, { skip }, action);
}

/** Registers the tests that `define` makes, on a server started with `flags`. */
export function suite(title: string, flags: readonly string[], define: (store: Store) => void): Suite {
  return (target) =>
    void describe(`${title} (${target.name})`, () => {
      const store = new Store(target.command, flags);
      before(() => store.start());
      after(() => store.remove());
      define(store);
      test("the server is still there and has logged no error", () => {
        assert.equal(store.isRunning, true, store.server.log.slice(-4000));
        if (target.command !== undefined) return; // what another server logs is its own affair
        const errors = store.server.log.split("\n").filter((line) => /^\{"level":"(error|fatal|panic)"/.test(line));
        assert.deepEqual(errors, []);
      });
    });
}
