/** The watch validators pass what a right server sends, and name each broken promise. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../server/base/prng.ts";
import { goodHistory } from "./generator.ts";
import { assertRight, type Kv } from "./history.ts";
import {
  type TrueEvents,
  trueEvents,
  type WatchEvent,
  type Watcher,
  type WatchResponse,
  wantedEvents,
} from "./watch-history.ts";
import { checkWatchers } from "./watch-validators.ts";

const SEEDS = Array.from({ length: 12 }, (_, seed) => seed);

test("good watchers pass, with filters, prev_kv, fragments, progress and cancellations", () => {
  for (const seed of SEEDS) {
    const { truth, watchers } = scene(seed, 20);
    assert.ok(watchers.some(({ responses }) => responses.some(({ events }) => events.length > 0)));
    assertRight(checkWatchers(watchers, truth));
  }
});

test("a watcher that fell behind a compaction is canceled with its revision and a reason", () => {
  const { truth } = scene(1, 1);
  const end = response({
    header: { revision: 0 },
    canceled: true,
    compactRevision: 30,
    cancelReason: "required revision has been compacted",
  });
  const watcher: Watcher = { ...ALL, startRevision: 10, responses: [created(40), end] };
  assertRight(checkWatchers([watcher], truth, { compactedTo: 30 }));
});

test("prev_kv may be missing below a compaction, and nowhere else", () => {
  const { truth } = scene(2, 1);
  const event = truth.list.find(({ prevKv, revision }) => prevKv !== undefined && revision > 5);
  assert.ok(event !== undefined);
  const { revision } = event;
  const one = { kind: event.kind, kv: event.kv, prevKv: undefined };
  const rest = wantedEvents(ALL, truth, revision, revision).map((each) => (each === event ? one : each));
  const watcher: Watcher = {
    ...ALL,
    prevKv: true,
    startRevision: revision,
    responses: [created(revision), response({ header: { revision }, events: rest })],
  };
  assertRight(checkWatchers([watcher], truth, { compactedTo: revision }));
  assert.throws(
    () => assertRight(checkWatchers([watcher], truth, { compactedTo: revision - 1 })),
    /prev-kv: all .* with nothing before it/,
  );
});

interface Mistake {
  readonly message: RegExp;
  /** Undefined: the watcher has no place for it. */
  readonly plant: (watcher: Watcher, random: Prng, truth: TrueEvents) => readonly WatchResponse[] | Watcher | undefined;
}

const MISTAKES: Readonly<Record<string, Mistake>> = {
  "an event of another key (filter)": {
    message: /filter: .*got what it did not ask for: put "zz"/,
    plant: ({ end, responses, prevKv }, random) => {
      if (end === "\0") return undefined;
      return withEvents(responses, random, (events) => {
        const [first, ...rest] = events as [WatchEvent, ...WatchEvent[]];
        return [{ kind: "put", kv: { ...first.kv, key: "zz" }, prevKv: prevKv ? first.prevKv : undefined }, ...rest];
      });
    },
  },
  "an event that was filtered (filter)": {
    message: /filter: .*no deletes.*got what it did not ask for: delete/,
    plant: (watcher) => {
      const hasDelete = watcher.responses.some(({ events }) => events.some(({ kind }) => kind === "delete"));
      return hasDelete ? { ...watcher, noDelete: true } : undefined;
    },
  },
  "two responses exchanged (ordered)": {
    message: /ordered: .*got .* and then (put|delete)/,
    plant: ({ responses }, random) => {
      const at = placeOf(
        responses,
        random,
        (one, next) =>
          one.events.length > 0 && !one.fragment && (next?.events.length ?? 0) > 0 && next?.fragment === false,
      );
      return at === undefined
        ? undefined
        : responses.with(at, responses[at + 1] as WatchResponse).with(at + 1, responses[at] as WatchResponse);
    },
  },
  "a response twice (unique)": {
    message: /unique: .*got (put|delete) .* 2 times/,
    plant: ({ responses }, random) => {
      const at = placeOf(responses, random, (one) => one.events.length > 0 && !one.fragment);
      return at === undefined ? undefined : responses.toSpliced(at, 0, responses[at] as WatchResponse);
    },
  },
  "a revision in two responses (atomic)": {
    message: /atomic: .*got revision \d+ in two responses: .* in the \d+th, .* in the \d+th/,
    plant: ({ responses }, random) => {
      const splits = (one: WatchResponse) =>
        !one.fragment &&
        one.events.at(-1)?.kv.modRevision === one.events.at(-2)?.kv.modRevision &&
        one.events.length > 1;
      const at = placeOf(responses, random, splits);
      const one = at === undefined ? undefined : responses[at];
      if (at === undefined || one === undefined) return undefined;
      const parts = [
        { ...one, events: one.events.slice(0, -1) },
        { ...one, events: one.events.slice(-1) },
      ];
      return responses.toSpliced(at, 1, ...parts);
    },
  },
  "an event too few at the beginning (resumable)": {
    message: /resumable: .*got .* first, and .* was before it/,
    plant: ({ responses }) => {
      const at = responses.findIndex(({ events }) => events.length > 0);
      if (responses[at]?.fragment === true) return undefined;
      const isSole = responses[at]?.events.every(
        ({ kv }) => kv.modRevision === responses[at]?.events[0]?.kv.modRevision,
      );
      const hasMore = responses.slice(at + 1).some(({ events }) => events.length > 0);
      return at < 0 || !isSole || !hasMore
        ? undefined
        : responses.toSpliced(at, 1).filter((one) => !isProgressLike(one));
    },
  },
  "an event before the start (resumable)": {
    message: /resumable: .*begins at \d+, and got/,
    plant: (watcher) => {
      const first = watcher.responses.find(({ events }) => events.length > 0)?.events[0];
      if (first === undefined || watcher.startRevision === 0) return undefined;
      const responses = watcher.responses.filter((one) => !isProgressLike(one));
      return { ...watcher, startRevision: first.kv.modRevision + 1, responses };
    },
  },
  "an event too few in between (reliable)": {
    message: /reliable: .*got .*, where (put|delete) .* was to be sent/,
    plant: ({ responses }, random) => {
      const first = responses.findIndex(({ events }) => events.length > 0);
      const last = responses.findLastIndex(({ events }) => events.length > 0);
      const at = placeOf(
        responses,
        random,
        (one) => one.events.length > 0 && !one.fragment && responses[first] !== one && responses[last] !== one,
      );
      return at === undefined ? undefined : responses.toSpliced(at, 1).filter((one) => !isProgressLike(one));
    },
  },
  "progress before its events (bookmarkable)": {
    message: /bookmarkable: .*was told of progress \d+ without having been sent (put|delete)/,
    plant: ({ responses }, random) => {
      const at = placeOf(responses, random, (one) => one.events.length > 0 && !one.fragment);
      if (at === undefined || responses[at - 1]?.fragment === true) return undefined;
      const { revision } =
        responses[at]?.events.at(-1)?.kv === undefined
          ? { revision: 0 }
          : { revision: (responses[at] as WatchResponse).events.at(-1)?.kv.modRevision as number };
      return responses.toSpliced(at, 0, response({ header: { revision } }));
    },
  },
  "progress that goes back (bookmarkable)": {
    message: /bookmarkable: .*(got an event of \d+, and then progress 1|told of progress \d+, and then of 1)$/,
    plant: ({ responses }) => {
      const isOpen = responses.at(-1)?.fragment === true || responses.at(-1)?.events.length === 0;
      return isOpen ? undefined : [...responses, response({ header: { revision: 1 } })];
    },
  },
  "a wrong prev_kv (prev-kv)": {
    message: /prev-kv: .*with "k\d" = "other".* before it, and before it was/,
    plant: ({ responses, prevKv }, random) =>
      prevKv
        ? withEvents(responses, random, (events) =>
            events.some((one) => one.prevKv !== undefined)
              ? events.map((one) => ({
                  ...one,
                  prevKv: one.prevKv === undefined ? undefined : { ...one.prevKv, value: "other" },
                }))
              : undefined,
          )
        : undefined,
  },
  "a change as a creation (is-create)": {
    message: /is-create: .*got put .*, and before it it was "k/,
    plant: ({ responses }, random) =>
      withPut(
        responses,
        random,
        (kv) => kv.version > 1,
        (kv) => ({ ...kv, createRevision: kv.modRevision }),
      ),
  },
  "a creation as a change (is-modify)": {
    message: /is-modify: .*got put .*, and before it there was no such key/,
    plant: ({ responses }, random) =>
      withPut(
        responses,
        random,
        (kv) => kv.version === 1,
        (kv) => ({ ...kv, createRevision: 1 }),
      ),
  },
  "a wrong value": {
    message: /wrong event: .*got put "k\d" = "other" .* instead of put "k\d" = "v/,
    plant: ({ responses }, random) =>
      withPut(
        responses,
        random,
        () => true,
        (kv) => ({ ...kv, value: "other" }),
      ),
  },
  "a response without a header": {
    message: /no header: .*got response \d+ without one: \[.*header none/,
    plant: ({ responses }, random) => {
      const at = random.below(responses.length);
      return responses.with(at, { ...(responses[at] as WatchResponse), header: undefined });
    },
  },
  "a header of before its events": {
    message: /header before its events: .*got (put|delete) .* under the header \d+/,
    plant: ({ responses }, random) => {
      const at = placeOf(responses, random, ({ events }) => events.length > 0);
      const one = at === undefined ? undefined : responses[at];
      const last = one?.events.at(-1)?.kv.modRevision ?? 0;
      return at === undefined || one === undefined
        ? undefined
        : responses.with(at, { ...one, header: { revision: last - 1 } });
    },
  },
  "events before created": {
    message: /not created: .*got this before it was created: \[.*events from/,
    plant: ({ responses }) => {
      const next = responses[1];
      return next === undefined || next.events.length === 0 || next.fragment
        ? undefined
        : [next, responses[0] as WatchResponse, ...responses.slice(2)];
    },
  },
  "progress beyond what is applied": {
    message: /progress beyond applied: .*progress (\d+) by a member that had applied \d+/,
    plant: ({ responses }) => {
      const at = responses.findIndex(isProgressLike);
      const one = responses[at];
      return one?.header === undefined
        ? undefined
        : responses.with(at, { ...one, appliedRevision: one.header.revision - 1 });
    },
  },
  "a piece that is no piece of the others": {
    message: /fragment: .*got \[.* in the middle of the pieces/,
    plant: ({ responses }) => {
      const at = responses.findIndex(({ fragment }) => fragment);
      return at < 0 ? undefined : responses.toSpliced(at + 1, 0, response({ header: { revision: 9 } }));
    },
  },
  "pieces that nobody asked for": {
    message: /fragment: .*got a piece, and had not asked for fragments/,
    plant: (watcher) =>
      watcher.responses.some(({ fragment }) => fragment) ? { ...watcher, fragment: false } : undefined,
  },
  "a cancellation without a reason": {
    message: /cancel reason: .*was canceled with compact revision 100000, and no reason/,
    plant: ({ responses }) => [
      ...complete(responses),
      response({ header: { revision: 0 }, canceled: true, compactRevision: 100_000 }),
    ],
  },
  "a cancellation of what can be read": {
    message: /canceled for nothing: .*needed \d+ next, and was canceled with compact revision 1,/,
    plant: ({ responses }) => [
      ...complete(responses),
      response({ canceled: true, compactRevision: 1, cancelReason: "compacted" }),
    ],
  },
  "events after the end": {
    message: /after the end: .*was canceled, and then got \[/,
    plant: ({ responses }, random) => {
      const at = placeOf(responses, random, (one) => one.events.length > 0 && !one.fragment);
      return at === undefined || responses[at - 1]?.fragment === true
        ? undefined
        : responses.toSpliced(at, 0, response({ canceled: true }));
    },
  },
};

for (const [name, { message, plant }] of Object.entries(MISTAKES))
  test(`caught from every seed: ${name}`, () => {
    let planted = 0;
    for (const seed of SEEDS) {
      const { truth, watchers } = scene(seed, 4);
      const random = new Prng(seed);
      for (const [at, watcher] of watchers.entries()) {
        const changed = plant(watcher, random, truth);
        if (changed === undefined) continue;
        planted++;
        const bad = Array.isArray(changed) ? { ...watcher, responses: changed } : (changed as Watcher);
        const verdict = checkWatchers(watchers.with(at, bad), truth);
        const texts = verdict.verdict === "wrong" ? verdict.violations.map(({ text }) => text) : [];
        assert.ok(
          texts.some((text) => message.test(text)),
          `seed ${seed}, ${at}: ${message} in\n${texts.join("\n") || verdict.verdict}`,
        );
      }
    }
    assert.ok(planted >= 5, `only ${planted} watchers had a place for it`);
  });

const ALL: Watcher = {
  name: "all",
  key: "\0",
  end: "\0",
  startRevision: 1,
  prevKv: false,
  fragment: false,
  noPut: false,
  noDelete: false,
  responses: [],
};

function response(more: Partial<WatchResponse>): WatchResponse {
  return {
    header: { revision: 1 },
    created: false,
    canceled: false,
    cancelReason: "",
    compactRevision: 0,
    fragment: false,
    events: [],
    ...more,
  };
}

function created(revision: number): WatchResponse {
  return response({ header: { revision }, created: true });
}

function isProgressLike({ created: isCreated, canceled, fragment, events }: WatchResponse): boolean {
  return !isCreated && !canceled && !fragment && events.length === 0;
}

/** A store's changes and right watchers of them. */
function scene(seed: number, count: number): { truth: TrueEvents; watchers: Watcher[] } {
  const truth = trueEvents(goodHistory({ seed, operations: 300, unknown: 0.05 }).log);
  const random = new Prng(seed + 1000);
  return { truth, watchers: Array.from({ length: count }, (_, at) => goodWatcher(truth, random, at)) };
}

function goodWatcher(truth: TrueEvents, random: Prng, at: number): Watcher {
  const isOne = random.chance(0.4);
  const watcher: Watcher = {
    name: `watcher ${at}`,
    key: isOne ? `k${random.below(6)}` : "\0",
    end: isOne ? "" : "\0",
    startRevision: random.chance(0.3) ? 0 : 2 + random.below(20),
    prevKv: random.chance(0.5),
    fragment: random.chance(0.5),
    noPut: random.chance(0.1),
    noDelete: random.chance(0.1),
    responses: [],
  };
  const begin = watcher.startRevision === 0 ? 10 + random.below(20) : watcher.startRevision;
  const responses = [created(watcher.startRevision === 0 ? begin - 1 : 30)];
  for (let from = begin; from <= truth.log.last; ) {
    const to = Math.min(truth.log.last, from + random.below(4));
    const events = wantedEvents(watcher, truth, from, to).map(
      ({ kind, kv, prevKv }): WatchEvent => ({ kind, kv, prevKv: watcher.prevKv ? prevKv : undefined }),
    );
    const head = { revision: to + random.below(3) };
    const half = Math.ceil(events.length / 2);
    if (watcher.fragment && events.length > 1 && random.chance(0.5))
      responses.push(
        response({ header: head, events: events.slice(0, half), fragment: true }),
        response({ header: head, events: events.slice(half) }),
      );
    else if (events.length > 0) responses.push(response({ header: head, events }));
    if (random.chance(0.2)) responses.push(response({ header: { revision: to }, appliedRevision: to }));
    from = to + 1;
  }
  return { ...watcher, responses };
}

function placeOf(
  responses: readonly WatchResponse[],
  random: Prng,
  fits: (one: WatchResponse, next: WatchResponse | undefined) => boolean,
): number | undefined {
  const all = responses.flatMap((one, at) =>
    fits(one, responses[at + 1]) && responses[at - 1]?.fragment !== true ? [at] : [],
  );
  return all.length === 0 ? undefined : random.pick(all);
}

function withEvents(
  responses: readonly WatchResponse[],
  random: Prng,
  change: (events: readonly WatchEvent[]) => readonly WatchEvent[] | undefined,
): readonly WatchResponse[] | undefined {
  const at = placeOf(responses, random, ({ events }) => events.length > 0 && change(events) !== undefined);
  if (at === undefined) return undefined;
  const one = responses[at] as WatchResponse;
  return responses.with(at, { ...one, events: change(one.events) ?? [] });
}

function withPut(responses: readonly WatchResponse[], random: Prng, fits: (kv: Kv) => boolean, change: (kv: Kv) => Kv) {
  return withEvents(responses, random, (events) => {
    const at = events.findIndex(({ kind, kv }) => kind === "put" && fits(kv));
    const one = events[at];
    return one === undefined ? undefined : events.with(at, { ...one, kv: change(one.kv) });
  });
}

/** Without a piece that waits for the next. */
function complete(responses: readonly WatchResponse[]): readonly WatchResponse[] {
  return responses.at(-1)?.fragment === true ? responses.slice(0, -1) : responses;
}
