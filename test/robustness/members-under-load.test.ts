/** A failure in one test leaves nothing behind for another. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MembersUnderLoad, Supply } from "./members-under-load.ts";

/** Members without a process. */
class Pretended extends MembersUnderLoad {
  readonly lastWords = "the server ended by SIGABRT; its last lines:\nout of luck";
  isRemoved = false;

  constructor() {
    super("127.0.0.1:1", 1);
  }

  remove(): Promise<void> {
    this.isRemoved = true;
    return Promise.resolve();
  }

  protected restarted(): Promise<void> {
    return Promise.resolve();
  }

  protected level(): Promise<string> {
    return Promise.resolve("127.0.0.1:1");
  }
}

test("tests one after another get the same members, tests beside each other different ones", async () => {
  const supply = new Supply(() => Promise.resolve(new Pretended()));
  const used: Pretended[] = [];
  const use = () => supply.use((members) => Promise.resolve(used.push(members)));
  await use();
  await use();
  assert.equal(used[0], used[1]);
  await Promise.all([use(), use()]);
  assert.notEqual(used[2], used[3]);
  await supply.remove();
  assert.ok(used.every(({ isRemoved }) => isRemoved));
});

test("after a failure, which is told with its cause and the last words of the members, the next test gets fresh ones", async () => {
  const supply = new Supply(() => Promise.resolve(new Pretended()));
  let failed: Pretended | undefined;
  const cause = new Error("connect ECONNREFUSED");
  const failing = supply.use((members) => {
    failed = members;
    return Promise.reject(new Error("fetch failed", { cause }));
  });
  await assert.rejects(failing, ({ message }: Error) => {
    assert.match(message, /^fetch failed \(connect ECONNREFUSED\)\nthe server ended by SIGABRT.*\nout of luck$/);
    return true;
  });
  assert.equal(failed?.isRemoved, true);
  await supply.use((members) => Promise.resolve(assert.notEqual(members, failed)));
  await supply.remove();
});

test("members that cannot be made fail one test only", async () => {
  let tries = 0;
  const supply = new Supply(() => {
    tries++;
    return tries === 1 ? Promise.reject(new Error("no luck")) : Promise.resolve(new Pretended());
  });
  await assert.rejects(
    supply.use(() => Promise.resolve()),
    /no luck/,
  );
  await supply.use(() => Promise.resolve());
  await supply.remove();
});
