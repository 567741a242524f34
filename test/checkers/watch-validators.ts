/**
 * What etcd promises to watchers, each promise a validator of its own: the nine of etcd's robustness suite (filter,
 * ordered, unique, atomic, bookmarkable, resumable, reliable, prev-kv, is-create, and with it is-modify), and those that
 * etcd had to mend: a header on every response, nothing before `created`, no progress beyond what is applied, fragments
 * that make a whole, a cancellation with its reason. Linear in the events.
 */
import { type Kv, type Verdict, Violations } from "./history.ts";
import { sameKv } from "./same.ts";
import {
  isWanted,
  type TrueEvent,
  type TrueEvents,
  type WatchEvent,
  type Watcher,
  type WatchResponse,
  wantedEvents,
  watcherWords,
} from "./watch-history.ts";
import { kvWords } from "./words.ts";

/** What a validator looks at. */
interface Sight {
  readonly watcher: Watcher;
  /** Responses with fragments put together. */
  readonly whole: readonly WatchResponse[];
  readonly events: readonly WatchEvent[];
  readonly truth: TrueEvents;
  /** The first revision it asked for; undefined: it was never created. */
  readonly from: number | undefined;
  readonly compactedTo: number;
  readonly report: (rule: string, text: string) => undefined;
}

/** Each reports the first of its kind: one mistake makes many. */
const VALIDATORS: readonly ((sight: Sight) => undefined)[] = [
  header,
  createdFirst,
  nothingAfterCancel,
  fragments,
  filter,
  ordered,
  unique,
  atomic,
  resumable,
  bookmarkable,
  appliedProgress,
  cancelReason,
  reliable,
  contents,
];

/** `compactedTo`: the highest revision at which anybody asked for a compaction; prev_kv below it may be missing. */
export function checkWatchers(
  watchers: readonly Watcher[],
  truth: TrueEvents,
  { compactedTo = 0 }: { readonly compactedTo?: number } = {},
): Verdict {
  const violations = new Violations();
  for (const watcher of watchers) {
    const whole = putTogether(watcher.responses);
    const events = whole.flatMap((response) => response.events);
    const report = (rule: string, text: string): undefined => {
      violations.add(rule, `${watcherWords(watcher)} ${text}`);
    };
    const from = firstWanted(watcher);
    const sight: Sight = { watcher, whole, events, truth, from, compactedTo, report };
    for (const validate of VALIDATORS) validate(sight);
    if (violations.isFull) break;
  }
  return violations.verdict();
}

// ---- responses

/** Each response has one, and it is not of before the events: clients go on from it. */
function header({ watcher, report }: Sight): undefined {
  for (const [at, response] of watcher.responses.entries()) {
    const { header: head, events } = response;
    if (head === undefined) return report("no header", `got response ${at} without one: ${words(response)}`);
    const later = events.find(({ kv }) => kv.modRevision > head.revision);
    if (later !== undefined)
      return report("header before its events", `got ${eventWords(later)} under the header ${head.revision}`);
  }
}

function createdFirst({ watcher, report }: Sight): undefined {
  for (const [at, response] of watcher.responses.entries()) {
    if (at === 0 && !response.created)
      return report("not created", `got this before it was created: ${words(response)}`);
    if (at > 0 && response.created) return report("created twice", `got a second \`created\` as response ${at}`);
    if (response.created && response.events.length > 0)
      return report("events with created", `got events together with \`created\`: ${words(response)}`);
  }
}

function nothingAfterCancel({ watcher, report }: Sight): undefined {
  const canceled = watcher.responses.findIndex((response) => response.canceled);
  const after = canceled < 0 ? undefined : watcher.responses[canceled + 1];
  if (after !== undefined) report("after the end", `was canceled, and then got ${words(after)}`);
}

function fragments({ watcher, report }: Sight): undefined {
  for (const [at, response] of watcher.responses.entries()) {
    if (!response.fragment) continue;
    if (!watcher.fragment)
      return report("fragment", `got a piece, and had not asked for fragments: ${words(response)}`);
    const next = watcher.responses[at + 1];
    if (next === undefined) continue; // The stream may have ended in between.
    if (next.events.length === 0 || next.created || next.header?.revision !== response.header?.revision)
      return report("fragment", `got ${words(next)} in the middle of the pieces that began with ${words(response)}`);
  }
}

/** A progress response promises that all up to its revision has been sent. */
function bookmarkable({ whole, watcher, truth, from, report }: Sight): undefined {
  let promised = 0;
  let last = 0;
  for (const response of whole) {
    for (const { kv } of response.events) {
      if (kv.modRevision <= promised)
        return report("bookmarkable", `was told that all up to ${promised} had been sent, and then got ${kvWords(kv)}`);
      last = kv.modRevision;
    }
    if (!isProgress(response)) continue;
    const { revision } = response.header ?? { revision: 0 };
    if (revision < promised) return report("bookmarkable", `was told of progress ${promised}, and then of ${revision}`);
    if (revision < last) return report("bookmarkable", `got an event of ${last}, and then progress ${revision}`);
    // The first progress must not be below the start: one would resume too early (etcd issue 20221).
    if (from !== undefined && revision < from - 1)
      return report("bookmarkable", `was told of progress ${revision}, which is before it begins at ${from}`);
    promised = revision;
    const missed = from === undefined ? [] : wantedEvents(watcher, truth, Math.max(from, last + 1), revision);
    if (missed[0] !== undefined)
      return report(
        "bookmarkable",
        `was told of progress ${revision} without having been sent ${eventWords(missed[0])}`,
      );
  }
}

function appliedProgress({ watcher, report }: Sight): undefined {
  for (const response of watcher.responses) {
    const { header: head, appliedRevision } = response;
    if (!isProgress(response) || head === undefined || appliedRevision === undefined) continue;
    if (head.revision > appliedRevision)
      return report(
        "progress beyond applied",
        `was told of progress ${head.revision} by a member that had applied ${appliedRevision}`,
      );
  }
}

/** Canceled by compaction: with the revision that is still there, a reason, and only when something is really missing. */
function cancelReason({ watcher, events, from, compactedTo, report }: Sight): undefined {
  const canceled = watcher.responses.find((response) => response.canceled);
  if (canceled === undefined) return;
  const { compactRevision, cancelReason: reason } = canceled;
  if (compactRevision === 0) {
    if (reason.includes("compacted") && watcher.startRevision >= 0)
      report("cancel reason", `was canceled with "${reason}", and no compact revision`);
    return;
  }
  const next = Math.max(from ?? watcher.startRevision, (events.at(-1)?.kv.modRevision ?? 0) + 1);
  if (reason === "") report("cancel reason", `was canceled with compact revision ${compactRevision}, and no reason`);
  else if (next >= compactRevision)
    report(
      "canceled for nothing",
      `needed ${next} next, and was canceled with compact revision ${compactRevision}, where it could be read`,
    );
  else if (compactRevision > compactedTo && compactedTo > 0)
    report(
      "cancel reason",
      `was canceled with compact revision ${compactRevision}, and the highest asked for was ${compactedTo}`,
    );
}

// ---- events

function filter({ watcher, events, report }: Sight): undefined {
  const other = events.find((event) => !isWanted(watcher, event));
  if (other !== undefined) report("filter", `got what it did not ask for: ${eventWords(other)}`);
}

function ordered({ events, report }: Sight): undefined {
  for (const [at, event] of events.entries()) {
    const before = events[at - 1];
    if (before !== undefined && event.kv.modRevision < before.kv.modRevision)
      return report("ordered", `got ${eventWords(before)} and then ${eventWords(event)}`);
  }
}

/** One event of a key in a revision, unless the log itself holds more. */
function unique({ events, truth, report }: Sight): undefined {
  const counts = new Map<string, number>();
  for (const event of events) {
    const name = `${event.kv.modRevision} ${event.kv.key}`;
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    if (count > 1 && count > trueCount(truth, event))
      return report("unique", `got ${eventWords(event)} ${count} times`);
  }
}

/** All events of a revision come in one response. */
function atomic({ whole, report }: Sight): undefined {
  let last: { readonly event: WatchEvent; readonly at: number } | undefined;
  for (const [at, { events }] of whole.entries())
    for (const event of events) {
      if (last !== undefined && last.at !== at && last.event.kv.modRevision === event.kv.modRevision)
        return report(
          "atomic",
          `got revision ${event.kv.modRevision} in two responses: ${eventWords(last.event)} in the ${last.at}th, ${eventWords(event)} in the ${at}th`,
        );
      last = { event, at };
    }
}

/** From the revision that was asked for on: nothing before it, and the first that there is. */
function resumable({ watcher, events, truth, from, report }: Sight): undefined {
  const first = events[0];
  if (first === undefined || from === undefined) return;
  if (first.kv.modRevision < from) return report("resumable", `begins at ${from}, and got ${eventWords(first)}`);
  const expected = wantedEvents(watcher, truth, from, first.kv.modRevision)[0];
  if (expected !== undefined && expected.revision < first.kv.modRevision)
    report("resumable", `got ${eventWords(first)} first, and ${eventWords(expected)} was before it`);
}

/** Between the first and the last event nothing is missing and nothing is made up. */
function reliable({ watcher, events, truth, report }: Sight): undefined {
  const [first, last] = [events[0], events.at(-1)];
  if (first === undefined || last === undefined || first.kv.modRevision > last.kv.modRevision) return;
  const expected = wantedEvents(watcher, truth, first.kv.modRevision, last.kv.modRevision);
  for (let at = 0; at < Math.max(expected.length, events.length); at++) {
    const [wanted, got] = [expected[at], events[at]];
    if (wanted !== undefined && got !== undefined && isSameEvent(wanted, got)) continue;
    const previous = at > 0 ? ` after ${eventWords(events[at - 1])}` : "";
    return report("reliable", `got ${eventWords(got)}${previous}, where ${eventWords(wanted)} was to be sent`);
  }
}

/** Every field of each event, prev_kv, and whether it creates or modifies. */
function contents(sight: Sight): undefined {
  for (const event of sight.events) {
    const truth = trueEvent(sight.truth, event);
    if (truth === undefined) continue; // Made up: that is told by `reliable`.
    if (!checkContents(sight, event, truth)) return;
  }
}

function checkContents({ watcher, compactedTo, report }: Sight, event: WatchEvent, truth: TrueEvent): boolean {
  const isCreate = (kv: Kv) => kv.createRevision === kv.modRevision;
  if (event.kind === "put" && isCreate(event.kv) !== (truth.prevKv === undefined)) {
    const was = truth.prevKv === undefined ? "there was no such key" : `it was ${kvWords(truth.prevKv)}`;
    report(isCreate(event.kv) ? "is-create" : "is-modify", `got ${eventWords(event)}, and before it ${was}`);
    return false;
  }
  if (!sameKv(event.kv, truth.kv)) {
    report("wrong event", `got ${eventWords(event)} instead of ${eventWords(truth)}`);
    return false;
  }
  if (!watcher.prevKv) {
    if (event.prevKv !== undefined) report("prev-kv", `got prev_kv without asking for it: ${eventWords(event)}`);
    return event.prevKv === undefined;
  }
  // Compaction may have taken what was before; then it is missing, never another.
  const mayMiss = truth.revision - 1 < compactedTo;
  const { prevKv } = event;
  const isRight =
    prevKv === undefined
      ? truth.prevKv === undefined || mayMiss
      : truth.prevKv !== undefined && sameKv(prevKv, truth.prevKv);
  if (isRight) return true;
  const kv = (one: Kv | undefined) => (one === undefined ? "nothing" : kvWords(one));
  report("prev-kv", `got ${eventWords(event)} with ${kv(prevKv)} before it, and before it was ${kv(truth.prevKv)}`);
  return false;
}

// ---- helpers

function putTogether(responses: readonly WatchResponse[]): WatchResponse[] {
  const whole: WatchResponse[] = [];
  let isOpen = false;
  for (const response of responses) {
    const begun = isOpen ? whole.pop() : undefined;
    whole.push(begun === undefined ? response : { ...response, events: [...begun.events, ...response.events] });
    isOpen = response.fragment;
  }
  return whole;
}

function firstWanted({ startRevision, responses }: Watcher): number | undefined {
  if (startRevision > 0) return startRevision;
  const created = responses.find((response) => response.created);
  return created?.header === undefined ? undefined : created.header.revision + 1;
}

function isProgress({ created, canceled, fragment, events }: WatchResponse): boolean {
  return !created && !canceled && !fragment && events.length === 0;
}

function* trueEventsAt({ list, at }: TrueEvents, { kv }: WatchEvent): Iterable<TrueEvent> {
  for (let one = at.get(kv.modRevision) ?? list.length; list[one]?.revision === kv.modRevision; one++)
    if (list[one]?.kv.key === kv.key) yield list[one] as TrueEvent;
}

function trueCount(truth: TrueEvents, event: WatchEvent): number {
  return [...trueEventsAt(truth, event)].length;
}

function trueEvent(truth: TrueEvents, event: WatchEvent): TrueEvent | undefined {
  return [...trueEventsAt(truth, event)].find(({ kind }) => kind === event.kind);
}

function isSameEvent(wanted: TrueEvent, got: WatchEvent): boolean {
  return wanted.kind === got.kind && wanted.kv.key === got.kv.key && wanted.revision === got.kv.modRevision;
}

function eventWords(event: WatchEvent | undefined): string {
  if (event === undefined) return "nothing";
  return event.kind === "put" ? `put ${kvWords(event.kv)}` : `delete "${event.kv.key}" at ${event.kv.modRevision}`;
}

function words({ header: head, created, canceled, cancelReason: reason, fragment, events }: WatchResponse): string {
  const kinds = [created ? "created" : "", canceled ? `canceled "${reason}"` : "", fragment ? "fragment" : ""];
  const what = kinds.filter((kind) => kind !== "").join(" ");
  const first = events[0] === undefined ? "no events" : `${events.length} events from ${eventWords(events[0])}`;
  return `[${what === "" ? "" : `${what}, `}header ${head?.revision ?? "none"}, ${first}]`;
}
