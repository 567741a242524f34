/** The list checker passes what a right store gives, and names each anomaly with the transactions in it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../server/base/prng.ts";
import { assertRight } from "./history.ts";
import { checkListAppend } from "./list-append.ts";
import { decodeList, encodeList, type ListStep, type ListTransaction } from "./list-transactions.ts";

const SEEDS = Array.from({ length: 12 }, (_, seed) => seed);

test("good histories pass, with aborted transactions and unknown ones", () => {
  for (const seed of SEEDS) assertRight(checkListAppend(goodLists(seed, 600)));
});

test("a large history is checked in seconds", (t) => {
  const transactions = goodLists(1, 20_000, 200);
  const before = process.cpuUsage();
  assertRight(checkListAppend(transactions));
  const ms = process.cpuUsage(before).user / 1000;
  t.diagnostic(`${transactions.length} transactions in ${Math.round(ms)} ms of processor time`);
  assert.ok(ms < 10_000, `${ms} ms`);
});

test("lists come back from a key's value; what is none is refused", () => {
  assert.deepEqual(decodeList(encodeList([])), []);
  assert.deepEqual(decodeList(encodeList([3, 12])), [3, 12]);
  assert.throws(() => decodeList("1 x"), /"1 x" is no list of numbers: "x" is none/);
});

test("a value that is appended twice is refused: nobody could tell whose it is", () => {
  const one = goodLists(1, 20).find(({ steps }) => steps.some(({ kind }) => kind === "append")) as ListTransaction;
  assert.throws(() => checkListAppend([one, { ...one, id: 99 }]), /by #\d+ and #99: append each value once/);
});

/** Small knots of transactions that overlap, named as the literature names them. */
const KNOTS: Readonly<Record<string, { steps: readonly (readonly ListStep[])[]; message: RegExp }>> = {
  G0: {
    steps: [
      [append("x", -1), append("y", -2)],
      [append("x", -3), append("y", -4)],
      [read("x", [-1, -3]), read("y", [-4, -2])],
    ],
    message:
      /G0: 2 transactions.*\n {2}#9001 .*\n {4}appended -1 to x just before -3, so it is before #9002\n {2}#9002 /,
  },
  G1c: {
    steps: [
      [append("x", -1), read("y", [-2])],
      [append("y", -2), read("x", [-1])],
    ],
    message: /G1c: 2 transactions.*\n {2}#900. .*\n {4}appended -\d to ., which the next saw, so it is before #900/,
  },
  "G-single": {
    steps: [
      [read("x", []), read("y", [-2])],
      [append("x", -1), append("y", -2)],
    ],
    message: /G-single: 2 .*\n {2}#9001 .*\n {4}read x without -1, which the next appended, so it is before #9002\n/,
  },
  G2: {
    steps: [
      [read("x", []), append("y", -1)],
      [read("y", []), append("x", -2)],
    ],
    message: /G2: 2 .*\n {2}#9001 .*\n {4}read x without -2, .* before #9002\n {2}#9002 .*\n {4}read y without -1/,
  },
};

for (const [name, { steps, message }] of Object.entries(KNOTS))
  test(`caught within every good history: ${name}`, () => {
    for (const seed of SEEDS) {
      const planted = steps.map((some, at): ListTransaction => {
        const id = 9001 + at;
        return { id, client: `planted ${at}`, calledMs: 10, returnedMs: 1e6, steps: some, outcome: "committed" };
      });
      caught([...goodLists(seed, 200), ...planted], message, seed);
    }
  });

type Mistake = (good: ListTransaction[], random: Prng) => { bad: ListTransaction[]; message: RegExp } | undefined;

const MISTAKES: Readonly<Record<string, Mistake>> = {
  "a read of the past": (good, random) => {
    const place = somewhere(good, random, ({ list }, one) => {
      const value = list.at(-1);
      const writer = good.find(({ steps }) => steps.some((step) => step.kind === "append" && step.value === value));
      return (
        writer?.outcome === "committed" &&
        writer.returnedMs < one.calledMs &&
        one.steps.every(({ kind }) => kind === "read")
      );
    });
    if (place === undefined) return undefined;
    const bad = withList(good, place, place.list.slice(0, -1));
    const message = new RegExp(`G-single.*: .*#${place.one.id} .*read ${place.key} without ${place.list.at(-1)}`, "s");
    return { bad, message };
  },
  "an append that is lost": (good, random) => {
    const place = somewhere(good, random, ({ list }) => list.length > 3);
    const value = place?.list.at(-2);
    const writer = good.find(({ steps }) => steps.some((step) => step.kind === "append" && step.value === value));
    if (place === undefined || writer?.outcome !== "committed") return undefined;
    const bad = good.map((one) => ({ ...one, steps: one.steps.map((step) => withoutValue(step, value as number)) }));
    return { bad, message: new RegExp(`(G-single|G2|G0).*(without|before|appended) ${value}\\b|internal: #`, "s") };
  },
  "G1a, a read of what was aborted": (good, random) => {
    const place = somewhere(good, random, ({ list }) => list.length > 0);
    const value = place?.list.at(-1);
    const writer = good.find(({ steps }) => steps.some((step) => step.kind === "append" && step.value === value));
    if (place === undefined || writer === undefined || writer.id === place.one.id) return undefined;
    const bad = good.map((one) => (one === writer ? { ...one, outcome: "aborted" as const } : one));
    return {
      bad,
      message: new RegExp(`G1a: #\\d+ .* sees ${value} in "${place.key}", which was aborted: #${writer.id} of`),
    };
  },
  "G1b, a read of what was only in between": (good, random) => {
    const place = somewhere(good, random, ({ list }, one) => {
      const last = list.at(-1);
      const writer = good.find(({ steps }) => steps.some((step) => step.kind === "append" && step.value === last));
      const before = list.at(-2);
      return writer !== one && (writer?.steps.some((step) => step.kind === "append" && step.value === before) ?? false);
    });
    if (place === undefined) return undefined;
    const bad = withList(good, place, place.list.slice(0, -1));
    return {
      bad,
      message: new RegExp(
        `G1b: #${place.one.id} .* sees "${place.key}" end with ${place.list.at(-2)}, the middle of #`,
      ),
    };
  },
  "two orders of one list": (good, random) => {
    const place = somewhere(good, random, ({ list }) => list.length > 3);
    if (place === undefined) return undefined;
    const [first = 0, second = 0, ...rest] = place.list;
    const bad = withList(good, place, [second, first, ...rest]);
    return {
      bad,
      message: new RegExp(
        `incompatible order: "${place.key}" was read as .* neither continues the other: #\\d+ .* and #\\d+ `,
      ),
    };
  },
  "a lost update": (good, random) => {
    const place = somewhere(good, random, (_, one) => one.client.startsWith("updater"));
    const other = good.find(
      ({ id, client, steps }) =>
        id !== place?.one.id &&
        client.startsWith("updater") &&
        steps[0]?.kind === "read" &&
        steps[0].key === place?.key,
    );
    const seen = other?.steps[0];
    if (place === undefined || other === undefined || seen?.kind !== "read" || seen.list === undefined)
      return undefined;
    const bad = withList(good, place, seen.list);
    const message = `lost update: both read ${place.key} .* and appended to it: #(${place.one.id}|${other.id}) .* and #(${place.one.id}|${other.id}) `;
    return { bad, message: new RegExp(message) };
  },
  "a value that nobody appended": (good, random) => {
    const place = somewhere(good, random, () => true);
    if (place === undefined) return undefined;
    const bad = withList(good, place, [...place.list, 77_777]);
    return { bad, message: new RegExp(`(garbage: #${place.one.id} .* sees 77777|internal: #${place.one.id} )`) };
  },
  "an append that took effect twice": (good, random) => {
    const place = somewhere(good, random, ({ list }) => list.length > 1);
    if (place === undefined) return undefined;
    const bad = withList(good, place, [place.list[0] as number, ...place.list]);
    return { bad, message: new RegExp(`double append: #${place.one.id} .* sees a value twice in "${place.key}"`) };
  },
};

for (const [name, mistake] of Object.entries(MISTAKES))
  test(`caught from every seed: ${name}`, () => {
    let planted = 0;
    for (const seed of SEEDS) {
      const found = mistake(goodLists(seed, 200), new Prng(seed));
      if (found === undefined) continue;
      planted++;
      caught(found.bad, found.message, seed);
    }
    assert.ok(planted >= 5, `only ${planted} histories had a place for it`);
  });

function caught(transactions: readonly ListTransaction[], message: RegExp, seed: number): void {
  const verdict = checkListAppend(transactions);
  const texts = verdict.verdict === "wrong" ? verdict.violations.map(({ text }) => text) : [];
  assert.ok(
    texts.some((text) => message.test(text)),
    `seed ${seed}: ${message} in\n${texts.join("\n") || verdict.verdict}`,
  );
}

/** Clients that overlap, on lists that change at one moment of each transaction. */
function goodLists(seed: number, count: number, keys = 5): ListTransaction[] {
  const random = new Prng(seed);
  const lists = new Map<string, number[]>();
  const freeMs = Array.from({ length: 5 }, () => random.below(100) / 10);
  const planned = Array.from({ length: count }, (_, at) => {
    const client = at % freeMs.length;
    const calledMs = freeMs[client] as number;
    const effectMs = calledMs + random.below(100) / 10;
    const returnedMs = effectMs + random.below(100) / 10;
    freeMs[client] = returnedMs + 0.1 + random.below(50) / 10;
    return { id: at + 1, client, calledMs, effectMs, returnedMs };
  });
  let value = 0;
  return planned
    .sort((left, right) => left.effectMs - right.effectMs)
    .map(({ id, client, calledMs, returnedMs }): ListTransaction => {
      const lot = random.below(20);
      const outcome = lot === 0 ? "aborted" : lot === 1 ? "unknown" : "committed";
      const happens = outcome === "committed" || (outcome === "unknown" && random.chance(0.5));
      const isUpdate = random.chance(0.3);
      const state = new Map(lists);
      const key = () => `k${random.below(keys)}`;
      const one = key();
      const kinds = isUpdate
        ? ["read", "append"]
        : Array.from({ length: 1 + random.below(3) }, () => random.pick(["read", "append"]));
      const steps = kinds.map((kind): ListStep => {
        const name = isUpdate || random.chance(0.5) ? one : key();
        const list = state.get(name) ?? [];
        if (kind === "read") return { kind: "read", key: name, list: outcome === "committed" ? list : undefined };
        state.set(name, [...list, ++value]);
        return { kind: "append", key: name, value };
      });
      // A client is known by what it does, so that a test finds the one it needs.
      if (happens) for (const [name, list] of state) lists.set(name, list);
      const isUpdater = isUpdate && outcome === "committed";
      return { id, client: `${isUpdater ? "updater" : "client"} ${client}`, calledMs, returnedMs, steps, outcome };
    });
}

function append(key: string, value: number): ListStep {
  return { kind: "append", key, value };
}

function read(key: string, list: readonly number[]): ListStep {
  return { kind: "read", key, list };
}

interface Place {
  readonly one: ListTransaction;
  readonly at: number;
  readonly key: string;
  readonly list: readonly number[];
}

/** A read of a committed transaction, before it appends anything. */
function somewhere(
  good: readonly ListTransaction[],
  random: Prng,
  fits: (place: Place, one: ListTransaction) => boolean,
): Place | undefined {
  const places = good.flatMap((one): Place[] => {
    const step = one.steps[0];
    if (one.outcome !== "committed" || step?.kind !== "read" || step.list === undefined || step.list.length === 0)
      return [];
    return [{ one, at: 0, key: step.key, list: step.list }];
  });
  const all = places.filter((place) => fits(place, place.one));
  return all.length === 0 ? undefined : random.pick(all);
}

function withList(good: readonly ListTransaction[], place: Place, list: readonly number[]): ListTransaction[] {
  return good.map((one) =>
    one === place.one
      ? { ...one, steps: one.steps.map((step, at) => (at === place.at ? { ...step, list } : step)) as ListStep[] }
      : one,
  );
}

function withoutValue(step: ListStep, value: number): ListStep {
  if (step.kind === "append" || step.list === undefined) return step;
  return { ...step, list: step.list.filter((one) => one !== value) };
}
