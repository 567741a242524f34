/** Watch (etcd-contract section 7): ids, starts, what is told and in which order, and what ends a watcher. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FilterType, type WatchResponse } from "../../server/proto/etcdserverpb.ts";
import { nested, put, remove } from "./operations.ts";
import { revisionOf, statusText } from "./store.ts";
import { suite } from "./target.ts";
import { eventsOf, Watching } from "./watching.ts";

/** Long enough for what is wrong to show, where nothing must come. */
const QUIET_MS = 120;

const FLAGS = ["--watch-progress-notify-interval=200ms"];

export const watchSuite = suite("Watch", FLAGS, (store) => {
  /** A test with a stream of its own. */
  const streamTest = (title: string, body: (watching: Watching) => Promise<void>) =>
    test(title, async () => {
      const watching = new Watching(store.client);
      await body(watching);
      await watching.close();
    });

  streamTest("the first watcher of a stream has the id 0, the next ones count up", async (watching) => {
    const revision = await store.revision();
    for (const id of [0, 1, 2]) {
      const answer = await watching.create("id");
      assert.deepEqual(plain(answer), { ...CREATED, watchId: id });
      assert.equal(revisionOf(answer), revision);
      assert.ok(answer.header?.clusterId !== 0n && answer.header?.memberId !== 0n && answer.header?.raftTerm !== 0);
    }
  });

  streamTest("a client may choose ids; the counter passes over those in use", async (watching) => {
    assert.equal((await watching.create("id", { watchId: 1 })).watchId, 1);
    assert.equal((await watching.create("id", { watchId: 7 })).watchId, 7);
    assert.equal((await watching.create("id")).watchId, 0);
    assert.equal((await watching.create("id")).watchId, 2);
    watching.cancel(7);
    assert.equal((await watching.next()).canceled, true);
    assert.equal((await watching.create("id", { watchId: 7 })).watchId, 7, "free again");
  });

  streamTest("an id in use is refused, and the stream goes on", async (watching) => {
    await watching.create("id", { watchId: 5 });
    const refused = await watching.create("id", { watchId: 5 });
    const reason = "mvcc: duplicate watch ID provided on the WatchStream";
    assert.deepEqual(plain(refused), { ...CREATED, watchId: -1, canceled: true, cancelReason: reason });
    assert.equal((await watching.create("id")).watchId, 0);
  });

  streamTest("a range without keys is refused", async (watching) => {
    for (const [key, rangeEnd] of [
      ["b", "b"],
      ["b", "a"],
    ] as const) {
      const refused = await watching.create(key, { rangeEnd });
      const expected = { ...CREATED, watchId: -1, canceled: true, cancelReason: "mvcc: watcher range is empty" };
      assert.deepEqual(plain(refused), expected);
    }
  });

  streamTest("a start below zero is refused as compacted", async (watching) => {
    const refused = await watching.create("k", { startRevision: -1 });
    const cancelReason = "etcdserver: mvcc: required revision has been compacted";
    assert.deepEqual(plain(refused), { ...CREATED, watchId: -1, canceled: true, cancelReason });
  });

  streamTest("without a start it begins with what comes next", async (watching) => {
    await store.write("start", "before");
    await watching.create("start");
    const revision = await store.write("start", "after");
    assert.deepEqual(await watching.events(1), [`put start=after @${revision}`]);
  });

  streamTest("an event's header names its revision", async (watching) => {
    await watching.create("header");
    const revision = await store.write("header");
    const answer = await watching.next();
    const { header } = await store.range("header");
    assert.deepEqual(answer.header, { ...header, revision });
  });

  streamTest("an empty key is the lowest", async (watching) => {
    await watching.create("", { rangeEnd: "\0" });
    const revision = await store.write("any key");
    assert.deepEqual(await watching.events(1), [`put any key= @${revision}`]);
  });

  streamTest("a start in the past brings history first, then what comes", async (watching) => {
    const first = await store.write("history", "1");
    await store.write("other");
    await store.delete("history");
    const third = await store.write("history", "3");
    await watching.create("history", { startRevision: first });
    const last = await store.write("history", "4");
    const told = [`put history=1 @${first}`, `delete history @${first + 2}`, `put history=3 @${third}`];
    assert.deepEqual(await watching.events(4), [...told, `put history=4 @${last}`]);
  });

  streamTest("a start in the future waits for its revision", async (watching) => {
    const now = await store.revision();
    await watching.create("future", { startRevision: now + 3 });
    for (let at = 1; at <= 3; at++) await store.write("future", String(at));
    assert.deepEqual(await watching.events(1), [`put future=3 @${now + 3}`]);
  });

  streamTest(
    "a start that was compacted is created and then canceled with the revision to start from",
    async (watching) => {
      const revision = await store.write("compacted", "1");
      await store.write("compacted", "2");
      await store.compact(revision + 1);
      assert.deepEqual(plain(await watching.create("compacted", { startRevision: revision })), CREATED);
      const canceled = await watching.next();
      const compactRevision = revision + 1;
      assert.deepEqual(plain(canceled), {
        ...NOTHING,
        canceled: true,
        compactRevision,
        cancelReason: canceled.cancelReason,
      });
      assert.equal(revisionOf(canceled), 0);
      await watching.create("compacted", { startRevision: compactRevision });
      assert.deepEqual(await watching.events(1), [`put compacted=2 @${compactRevision}`]);
    },
  );

  streamTest("events of a range come in the order of revisions, whatever their key", async (watching) => {
    await watching.create("order/", { rangeEnd: "order0" });
    const first = await store.write("order/c");
    await store.write("order/a");
    await store.write("order/b");
    await store.write("orders");
    await store.delete("order/", { rangeEnd: "order0" });
    assert.deepEqual(await watching.events(6), [
      `put order/c= @${first}`,
      `put order/a= @${first + 1}`,
      `put order/b= @${first + 2}`,
      ...["a", "b", "c"].map((key) => `delete order/${key} @${first + 4}`),
    ]);
  });

  streamTest("one revision is one answer", async (watching) => {
    await watching.create("one/", { rangeEnd: "one0" });
    await store.together(put("one/b"), put("one/a"), nested({ success: [put("one/c")] }));
    assert.equal((await watching.next()).events.length, 3);
    await store.together(remove("one/a"), remove("one/b"), put("one/d"));
    assert.equal((await watching.next()).events.length, 3);
  });

  streamTest("a key may change more than once in one revision", async (watching) => {
    await watching.create("twice");
    const revision = await store.together(
      nested({ success: [put("twice", "v")] }),
      nested({ success: [remove("twice")] }),
    );
    const at = revisionOf(revision);
    assert.deepEqual(await watching.events(2), [`put twice=v @${at}`, `delete twice @${at}`]);
  });

  streamTest("filters leave events out; a revision of which nothing is left is not told", async (watching) => {
    await watching.create("filter", { filters: [FilterType.NODELETE] });
    await watching.create("filter", { filters: [FilterType.NOPUT] });
    await watching.create("filter", { filters: [FilterType.NOPUT, FilterType.NODELETE] });
    const first = await store.write("filter", "1");
    await store.delete("filter");
    const told = [await watching.next(), await watching.next()].map((answer) => [answer.watchId, ...eventsOf(answer)]);
    assert.deepEqual(told, [
      [0, `put filter=1 @${first}`],
      [1, `delete filter @${first + 1}`],
    ]);
    assert.equal(await watching.nextWithin(QUIET_MS), undefined);
  });

  streamTest("prev_kv tells what was before, live and from history", async (watching) => {
    const history = async (startRevision: number) => {
      await watching.create("prev", { prevKv: true, startRevision });
      const first = await store.write("prev", "1");
      const second = await store.write("prev", "2");
      await store.delete("prev");
      const again = await store.write("prev", "3");
      return [
        `put prev=1 @${first}`,
        `put prev=2 @${second} (was prev=1 @${first})`,
        `delete prev @${second + 1} (was prev=2 @${second})`,
        `put prev=3 @${again}`,
      ];
    };
    const start = await store.revision();
    const told = await history(0);
    assert.deepEqual(await watching.events(4), told);
    watching.cancel(0);
    await watching.next();
    await watching.create("prev", { prevKv: true, startRevision: start });
    assert.deepEqual(await watching.events(4), told);
    await store.delete("prev");
  });

  streamTest("what was before and has been compacted is not told", async (watching) => {
    const first = await store.write("forgotten", "1");
    await store.write("forgotten", "2");
    await store.write("forgotten", "3");
    await store.compact(first + 1, { physical: true });
    await watching.create("forgotten", { prevKv: true, startRevision: first + 1 });
    const was = `(was forgotten=2 @${first + 1})`;
    assert.deepEqual(await watching.events(2), [
      `put forgotten=2 @${first + 1}`,
      `put forgotten=3 @${first + 2} ${was}`,
    ]);
  });

  streamTest("a canceled watcher says so once and then nothing; an unknown id is passed over", async (watching) => {
    await watching.create("cancel");
    watching.cancel(99);
    watching.cancel(0);
    const answer = await watching.next();
    assert.deepEqual(plain(answer), { ...NOTHING, canceled: true });
    watching.cancel(0);
    await store.write("cancel");
    assert.equal(await watching.nextWithin(QUIET_MS), undefined);
    assert.equal((await watching.create("cancel")).watchId, 1, "ids are not used again");
  });

  streamTest("watchers of one stream are told apart by their ids, and each is told all", async (watching) => {
    const watchers = 50;
    for (let at = 0; at < watchers; at++) await watching.create("many");
    const revision = await store.write("many");
    const told = new Set<number>();
    while (told.size < watchers) {
      const answer = await watching.next();
      assert.deepEqual(eventsOf(answer), [`put many= @${revision}`]);
      told.add(answer.watchId);
    }
  });

  streamTest(
    "asked for progress, a stream whose watchers are level tells the revision to all of them",
    async (watching) => {
      await watching.create("progress");
      await watching.create("progress");
      const revision = await store.write("no such key");
      watching.requestProgress();
      const answer = await watching.next();
      assert.deepEqual([plain(answer), revisionOf(answer)], [{ ...NOTHING, watchId: -1 }, revision]);
    },
  );

  streamTest("a stream without watchers has no progress", async (watching) => {
    watching.requestProgress();
    assert.equal(await watching.nextWithin(QUIET_MS), undefined);
  });

  streamTest("progress never overtakes events", async (watching) => {
    const first = await store.write("overtake", "0");
    await Promise.all(Array.from({ length: 299 }, () => store.write("overtake")));
    await watching.create("level");
    await watching.create("overtake", { startRevision: first });
    watching.requestProgress();
    let told = 0;
    while (told < 300) {
      const answer = await watching.next();
      if (answer.watchId === -1) assert.fail(`told of revision ${revisionOf(answer)} after ${told} of 300 events`);
      told += answer.events.length;
    }
    await progress(watching);
  });

  streamTest("with progress_notify a watcher that has nothing to tell tells how far it is", async (watching) => {
    await watching.create("notify", { progressNotify: true });
    await watching.create("silent");
    const revision = await store.write("elsewhere");
    let answer = await watching.next();
    while (revisionOf(answer) < revision) answer = await watching.next(); // a tick may fall before the write
    assert.deepEqual([plain(answer), revisionOf(answer)], [NOTHING, revision]);
    const next = await watching.next();
    assert.deepEqual([plain(next), revisionOf(next)], [NOTHING, revision]);
  });

  streamTest("a start in the future has no progress before it is reached", async (watching) => {
    const now = await store.revision();
    await watching.create("notify later", { progressNotify: true, startRevision: now + 2 });
    assert.equal(await watching.nextWithin(300), undefined);
    await store.write("elsewhere");
    await store.write("elsewhere");
    assert.ok(revisionOf(await watching.next()) >= now + 2);
  });

  streamTest("half-close ends nothing", async (watching) => {
    await watching.create("half");
    watching.halfClose();
    await sleep(QUIET_MS);
    const revision = await store.write("half");
    assert.deepEqual(await watching.events(1), [`put half= @${revision}`]);
  });

  test("streams live side by side on a connection, and one that goes away takes no other along", async () => {
    const streams = Array.from({ length: 20 }, () => new Watching(store.client));
    for (const stream of streams) assert.equal((await stream.create("side")).watchId, 0);
    const [gone, ...others] = streams;
    await gone?.close();
    const revision = await store.write("side");
    for (const other of others) assert.deepEqual(await other.events(1), [`put side= @${revision}`]);
    for (const other of others) await other.close();
  });

  test("a client that goes away ends its stream", async () => {
    const watching = new Watching(store.client);
    await watching.create("k");
    await watching.close();
    assert.equal(statusText(await watching.status), "Canceled Cancelled on client");
  });

  streamTest(
    "more than a thousand revisions of history come whole, in order, at most a thousand an answer",
    async (watching) => {
      const revisions = 1100;
      const first = await store.write("long/0", "x");
      for (let at = 1; at < revisions; at += 300)
        await Promise.all(Array.from({ length: Math.min(300, revisions - at) }, () => store.write("long/1")));
      await watching.create("long/", { rangeEnd: "long0", startRevision: first });
      let told = 0;
      while (told < revisions) {
        const { events } = await watching.next();
        assert.ok(events.length <= 1000, `${events.length} events in one answer`);
        for (const text of eventTexts(events)) {
          assert.equal(text.endsWith(`@${first + told}`), true, `${text} is event ${told} from ${first}`);
          told++;
        }
      }
    },
  );

  streamTest("a reader that does not read loses nothing", async (watching) => {
    await watching.create("slow");
    const value = "v".repeat(20_000);
    const first = await store.write("slow", value);
    for (let round = 0; round < 3; round++)
      await Promise.all(Array.from({ length: 100 }, () => store.write("slow", value)));
    const last = await store.revision();
    const told = await watching.events(last - first + 1);
    assert.deepEqual(
      told.map(at),
      Array.from({ length: last - first + 1 }, (_, index) => first + index),
    );
  });

  streamTest(
    "an answer that is too large comes in pieces when asked for, all but the last marked",
    async (watching) => {
      const value = "v".repeat(700_000);
      const first = await store.write("fragment/0", value);
      for (let at = 1; at < 8; at++) await store.write(`fragment/${at}`, value);
      await watching.create("fragment/", { rangeEnd: "fragment0", startRevision: first, fragment: true });
      const answers = [await watching.next()];
      while (answers.at(-1)?.fragment) answers.push(await watching.next());
      assert.ok(answers.length > 1, "in pieces");
      assert.deepEqual(
        answers.flatMap(({ events }) => eventTexts(events)).map(at),
        [0, 1, 2, 3, 4, 5, 6, 7].map((n) => first + n),
      );
      await watching.create("fragment/", { rangeEnd: "fragment0", startRevision: first });
      let told = 0;
      while (told < 8) {
        const { fragment, events } = await watching.next();
        assert.equal(fragment, false, "not asked for");
        told += events.length;
      }
      await store.delete("fragment/", { rangeEnd: "fragment0" });
    },
  );
});

const CREATED = {
  watchId: 0,
  created: true,
  canceled: false,
  compactRevision: 0,
  cancelReason: "",
  fragment: false,
  events: [],
};
const NOTHING = { ...CREATED, created: false };

/** An answer but for its header. */
function plain({ header: _, ...answer }: WatchResponse): Omit<WatchResponse, "header"> {
  return answer;
}

function eventTexts(events: readonly Uint8Array[]): string[] {
  return eventsOf({ ...NOTHING, header: undefined, events: [...events] });
}

/** The revision in an event's text. */
function at(text: string): number {
  return Number(/@(\d+)/.exec(text)?.[1]);
}

/** Asks until the stream answers: right after events it may not be level yet. */
async function progress(watching: Watching): Promise<WatchResponse> {
  for (;;) {
    watching.requestProgress();
    const answer = await watching.nextWithin(QUIET_MS);
    if (answer !== undefined) return answer;
  }
}
