/** Figures out of what an operator shows to Prometheus: rates between two looks, and quantiles of its histograms. */

/** Values by name with labels, as the text has them: `kvorum_operator_api_requests_total{verb="get",...}`. */
export type Series = ReadonlyMap<string, number>;

/** Of the text format, version 0.0.4; comments are left out. */
export function readSeries(text: string): Series {
  const series = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [, name, value] = /^([a-zA-Z_:][^ ]*(?:\{.*\})?) ([^ ]+)/.exec(line) ?? [];
    if (name !== undefined) series.set(name, Number(value));
  }
  return series;
}

/** What each series has grown by; those that have not are left out. */
export function growth(before: Series, after: Series): Series {
  const grown = new Map<string, number>();
  for (const [name, value] of after) {
    const by = value - (before.get(name) ?? 0);
    if (by !== 0) grown.set(name, by);
  }
  return grown;
}

/** Sums of a counter, by the values of some of its labels joined with spaces; the largest first. */
export function sums(series: Series, name: string, labels: readonly string[]): readonly (readonly [string, number])[] {
  const found = new Map<string, number>();
  for (const [text, value] of series) {
    if (!text.startsWith(`${name}{`) && text !== name) continue;
    const key = labels.map((label) => new RegExp(`[{,]${label}="([^"]*)"`).exec(text)?.[1] ?? "").join(" ");
    found.set(key, (found.get(key) ?? 0) + value);
  }
  return [...found].sort(([, left], [, right]) => right - left);
}

export function total(series: Series, name: string): number {
  return sums(series, name, []).reduce((sum, [, value]) => sum + value, 0);
}

/**
 * The `share` quantile (0 to 1) of a histogram, over all of its labels, in its unit: interpolated within its bucket, as
 * Prometheus does; the last bound where it lies beyond it, nothing without any observation.
 */
export function quantile(series: Series, name: string, share: number): number | undefined {
  const buckets = sums(series, `${name}_bucket`, ["le"])
    .map(([bound, count]) => ({ bound: bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound), count }))
    .sort((left, right) => left.bound - right.bound);
  const all = buckets.at(-1)?.count ?? 0;
  if (all === 0) return undefined;
  let [lower, below] = [0, 0];
  for (const { bound, count } of buckets) {
    if (count >= share * all) {
      if (bound === Number.POSITIVE_INFINITY) return lower;
      return count === below ? bound : lower + ((bound - lower) * (share * all - below)) / (count - below);
    }
    [lower, below] = [bound, count];
  }
  return lower;
}
