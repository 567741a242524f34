/**
 * All series of a process, and their text for Prometheus. The only file that knows prom-client, which writes the text;
 * its own counters are not used, as they look labels up by a string made for every count.
 */
import { type Metric, Registry as PromRegistry } from "prom-client";
import { assert } from "../base/assert.ts";
import { Counter, Family, Gauge, Histogram, SUMMARY_QUANTILES, Summary } from "./series-types.ts";

/** Go's client says so; Prometheus reads it as version 0.0.4. */
const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

/** Series written before the loop is given a turn; the longest have some 800 lines, a millisecond. */
const NAMES_A_TURN = 8;

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What a scrape is answered with. */
export interface MetricsText {
  readonly contentType: string;
  readonly body: string;
}

type Kind = "counter" | "gauge" | "histogram" | "summary";
type Instance = Counter | Gauge | Histogram | Summary;

/** One line of text, as prom-client takes it. */
interface Sample {
  /** With its labels, written out once: prom-client would write them anew for every line of every scrape. */
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly sharedLabels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NO_LABELS: Readonly<Record<string, string>> = Object.freeze({});

export class Registry {
  readonly #prom = new PromRegistry();
  readonly #names: string[] = [];
  readonly #collectors: (() => void)[] = [];
  /** Names with labels of the lines of a series. */
  readonly #lines = new WeakMap<Instance, readonly string[]>();

  counter(name: string, help: string): Counter {
    return this.#single(name, help, "counter", new Counter());
  }

  gauge(name: string, help: string): Gauge {
    return this.#single(name, help, "gauge", new Gauge());
  }

  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    return this.#single(name, help, "histogram", new Histogram(bounds));
  }

  summary(name: string, help: string): Summary {
    return this.#single(name, help, "summary", new Summary());
  }

  counters(name: string, help: string, labels: readonly string[]): Family<Counter> {
    return this.#family(name, help, "counter", labels, () => new Counter());
  }

  gauges(name: string, help: string, labels: readonly string[]): Family<Gauge> {
    return this.#family(name, help, "gauge", labels, () => new Gauge());
  }

  histograms(name: string, help: string, labels: readonly string[], bounds: readonly number[]): Family<Histogram> {
    return this.#family(name, help, "histogram", labels, () => new Histogram(bounds));
  }

  /** `collect` runs before every scrape: it sets gauges to what is true then. */
  beforeScrape(collect: () => void): void {
    this.#collectors.push(collect);
  }

  /** Names of all series, sorted. */
  names(): readonly string[] {
    return [...this.#names].sort();
  }

  /** The text of all series, by name, as Go's client orders it. */
  async text(): Promise<MetricsText> {
    for (const collect of this.#collectors) collect();
    const texts: string[] = [];
    for (const name of this.names()) {
      texts.push(await this.#prom.getSingleMetricAsString(name));
      // Some two thousand lines: whoever waits for the loop gets a turn in between.
      if (texts.length % NAMES_A_TURN === 0) await nextTurn();
    }
    return { contentType: CONTENT_TYPE, body: `${texts.join("\n")}\n` };
  }

  #single<Child extends Instance>(name: string, help: string, kind: Kind, child: Child): Child {
    this.#register(name, help, kind, () => this.#samples(name, [], child));
    return child;
  }

  #family<Child extends Instance>(
    name: string,
    help: string,
    kind: Kind,
    labels: readonly string[],
    create: () => Child,
  ): Family<Child> {
    const family = new Family(labels, create);
    this.#register(name, help, kind, () =>
      family.children().flatMap(({ values, child }) => this.#samples(name, labelPairs(labels, values), child)),
    );
    return family;
  }

  #samples(name: string, pairs: readonly string[], series: Instance): readonly Sample[] {
    const lines = this.#lines.get(series) ?? linesOf(name, pairs, series);
    this.#lines.set(series, lines);
    return valuesOf(series).map((value, index) => {
      return { metricName: lines[index] as string, labels: NO_LABELS, sharedLabels: NO_LABELS, value };
    });
  }

  #register(name: string, help: string, type: Kind, samples: () => readonly Sample[]): void {
    assert(/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name), `"${name}" can be the name of a metric`);
    assert(this.#prom.getSingleMetric(name) === undefined, `${name} is registered once`);
    this.#names.push(name);
    const get = async () => ({ name, help, type, values: samples(), aggregator: "sum" });
    this.#prom.registerMetric({ name, get } as unknown as Metric);
  }
}

/** Labels as they are written, in the order of their names, whatever order is handy to count with. */
function labelPairs(labels: readonly string[], values: readonly string[]): readonly string[] {
  return labels.map((label, index) => `${label}="${escapeLabel(values[index] as string)}"`).sort();
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

function linesOf(name: string, pairs: readonly string[], series: Instance): readonly string[] {
  if (series instanceof Histogram) {
    const bounds = [...series.bounds.map(goNumber), "+Inf"];
    const buckets = bounds.map((bound) => lineOf(`${name}_bucket`, [...pairs, `le="${bound}"`]));
    return [...buckets, lineOf(`${name}_sum`, pairs), lineOf(`${name}_count`, pairs)];
  }
  if (series instanceof Summary) {
    const quantiles = SUMMARY_QUANTILES.map((share) => lineOf(name, [...pairs, `quantile="${share}"`]));
    return [...quantiles, lineOf(`${name}_sum`, pairs), lineOf(`${name}_count`, pairs)];
  }
  return [lineOf(name, pairs)];
}

function lineOf(name: string, pairs: readonly string[]): string {
  return pairs.length === 0 ? name : `${name}{${pairs.join(",")}}`;
}

/** The values of the lines that linesOf() names. */
function valuesOf(series: Instance): readonly number[] {
  if (series instanceof Histogram) {
    const cumulative = series.cumulative();
    return [...cumulative, series.sum, cumulative.at(-1) ?? 0];
  }
  if (series instanceof Summary) return [...series.quantiles(), series.sum, series.count];
  return [series.value];
}

/** A bound as Go writes it ("8.388608e+06"): it is a label, and labels are compared as text. */
function goNumber(value: number): string {
  const [mantissa = "", power = "0"] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 6) return String(value);
  return `${mantissa}e${exponent < 0 ? "-" : "+"}${Math.abs(exponent).toString().padStart(2, "0")}`;
}
