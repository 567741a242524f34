import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeKube } from "../../test/operator/fake-kube.ts";
import { VirtualTime } from "../../test/operator/virtual-time.ts";
import { EVENTS, EventRecorder, type Happened } from "./events.ts";
import type { KubeObject } from "./kube.ts";

interface Event extends KubeObject {
  readonly reason: string;
  readonly note: string;
  readonly action: string;
  readonly type: string;
  readonly eventTime: string;
  readonly regarding: Readonly<Record<string, string>>;
  readonly series?: { readonly count: number; readonly lastObservedTime: string };
}

function about(name: string): KubeObject {
  const metadata = { name, namespace: "n", uid: `uid-${name}`, resourceVersion: "7" };
  return { apiVersion: "kvorum.dev/v1alpha1", kind: "EtcdCluster", metadata };
}

function happened(reason: string, message = "it did", member?: string): Happened {
  return { type: "Normal", reason, message, ...(member === undefined ? {} : { member }) };
}

function opened() {
  const time = new VirtualTime();
  const fake = new FakeKube({ time });
  const dropped: string[] = [];
  const failures: string[] = [];
  let sent = 0;
  const recorder = new EventRecorder({
    kube: fake,
    time,
    controller: "kvorum.dev/operator",
    instance: "operator-0",
    failed: (what) => failures.push(what),
    metrics: { sent: () => void sent++, dropped: (why) => dropped.push(why) },
  });
  const all = () => fake.objects.all(EVENTS) as readonly Event[];
  return { time, fake, recorder, all, dropped, failures, sent: () => sent };
}

describe("EventRecorder", () => {
  it("writes what happened, about whom, when, and by whom", async () => {
    const { time, recorder, all } = opened();
    recorder.emit(about("a"), { type: "Warning", reason: "QuorumLost", message: "one of three", member: "a-1" });
    await time.settle();
    const [event] = all();
    assert.ok(event);
    assert.deepEqual(
      [event.type, event.reason, event.note, event.action, event.metadata.namespace],
      ["Warning", "QuorumLost", "one of three", "a-1", "n"],
    );
    assert.match(event.eventTime, /\.\d{6}Z$/);
    assert.match(event.metadata.name, /^a\.[0-9a-f]+$/);
    assert.deepEqual(event.regarding, {
      apiVersion: "kvorum.dev/v1alpha1",
      kind: "EtcdCluster",
      name: "a",
      namespace: "n",
      uid: "uid-a",
      resourceVersion: "7",
    });
    assert.equal(event.series, undefined);
  });

  it("the same again is a series, written at most every 10 s; another member is another one", async () => {
    const { time, fake, recorder, all } = opened();
    for (let second = 0; second < 60; second++) {
      recorder.emit(about("a"), happened("MemberUnhealthy", "no answer", "a-1"));
      await time.advance(1000);
    }
    recorder.emit(about("a"), happened("MemberUnhealthy", "no answer", "a-2"));
    await time.advance(20_000);
    assert.deepEqual(
      all().map(({ action, series }) => [action, series?.count]),
      [
        ["a-1", 60],
        ["a-2", undefined],
      ],
    );
    assert.ok(fake.calls.length <= 9, String(fake.calls.length));
    assert.match(all()[0]?.series?.lastObservedTime ?? "", /\.\d{6}Z$/);
  });

  it("after six quiet minutes the same is news again", async () => {
    const { time, recorder, all } = opened();
    recorder.emit(about("a"), happened("LeaderMoved"));
    await time.advance(359_000);
    recorder.emit(about("a"), happened("LeaderMoved"));
    await time.advance(360_000);
    assert.deepEqual(
      all().map(({ series }) => series?.count),
      [2],
    );
    recorder.emit(about("a"), happened("LeaderMoved"));
    await time.settle();
    assert.deepEqual(
      all().map(({ series }) => series?.count),
      [2, undefined],
    );
  });

  it("other words for the same are a new Event once a minute, and counted otherwise", async () => {
    const { time, recorder, all } = opened();
    for (let second = 0; second < 130; second++) {
      recorder.emit(about("a"), happened("Lagging", `${second} entries`));
      await time.advance(1000);
    }
    await time.advance(20_000);
    assert.ok(all().length >= 2 && all().length <= 3, String(all().length));
  });

  it("one object cannot make more than 25 at once; others still can", async () => {
    const { time, recorder, all, dropped } = opened();
    for (let index = 0; index < 100; index++) recorder.emit(about("a"), happened(`Reason${index}`));
    recorder.emit(about("b"), happened("Fine"));
    await time.settle();
    assert.equal(all().length, 26);
    assert.deepEqual([dropped.length, new Set(dropped)], [75, new Set(["flood"])]);
    await time.advance(300_000);
    for (let index = 100; index < 200; index++) recorder.emit(about("a"), happened(`Reason${index}`));
    await time.settle();
    assert.equal(all().length, 36);
  });

  it("whoever tells never fails; what cannot be sent is tried three times, dropped and counted", async () => {
    const { time, fake, recorder, all, dropped, failures } = opened();
    const end = fake.faults.always({ verb: "create" }, { kind: "refuse", status: 403, reason: "Forbidden" });
    recorder.emit(about("a"), happened("Refused"));
    await time.advance(60_000);
    assert.deepEqual([fake.calls.length, dropped, failures.length], [3, ["failed"], 1]);
    end();
    recorder.emit(about("a"), happened("Sent"));
    await time.settle();
    assert.deepEqual(
      all().map(({ reason }) => reason),
      ["Sent"],
    );
  });

  it("an Event that was made by an attempt whose answer was lost is not made twice", async () => {
    const { time, fake, recorder, all, dropped } = opened();
    fake.faults.once({ verb: "create" }, { kind: "lost", isDone: true });
    recorder.emit(about("a"), happened("Once"));
    await time.advance(60_000);
    assert.deepEqual([all().length, dropped.length], [1, 0]);
  });

  it("a series whose Event has been forgotten begins with a new one", async () => {
    const { time, fake, recorder, all } = opened();
    recorder.emit(about("a"), happened("Again"));
    await time.settle();
    fake.objects.delete(EVENTS, (all()[0] as Event).metadata, {});
    recorder.emit(about("a"), happened("Again"));
    await time.advance(20_000);
    assert.deepEqual(
      all().map(({ series }) => series?.count),
      [2],
    );
  });

  it("holds at most 500 that wait, and drops what comes then", async () => {
    const { time, fake, recorder, dropped } = opened();
    fake.latencyMs = 1000;
    for (let index = 0; index < 600; index++) recorder.emit(about(`o-${index}`), happened("Many"));
    // One is on its way.
    assert.equal(dropped.filter((why) => why === "full").length, 99);
    await time.advance(10_000);
  });

  it("cuts a message at 1024 bytes, between characters", async () => {
    const { time, recorder, all } = opened();
    recorder.emit(about("a"), happened("Long", "\u20ac".repeat(1000)));
    await time.settle();
    const note = all()[0]?.note ?? "";
    assert.ok(Buffer.byteLength(note) <= 1024 && Buffer.byteLength(note) > 1000);
    assert.match(note, /^\u20ac+\.\.\.$/);
  });

  it("stop() sends what waits within its limit, and takes nothing any more", async () => {
    const { time, fake, recorder, all } = opened();
    fake.latencyMs = 1000;
    for (let index = 0; index < 10; index++) recorder.emit(about(`o-${index}`), happened("Last"));
    await time.until(recorder.stop(4500));
    recorder.emit(about("late"), happened("Late"));
    await time.advance(60_000);
    assert.ok(all().length >= 4 && all().length <= 5, String(all().length));
  });
});
