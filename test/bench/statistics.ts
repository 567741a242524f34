/** What paired timings say: the middle ratio and where it lies with 90 % confidence. */

export interface Ratio {
  readonly median: number;
  /** 90 % interval of the median, by resampling the pairs. */
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2000;

/** `pairs` of (ours, theirs); `random` uniform in [0, 1). At least one pair. */
export function ratioOf(pairs: readonly (readonly [number, number])[], random: () => number): Ratio {
  const ratios = pairs.map(([ours, theirs]) => ours / theirs);
  const medians = Array.from({ length: RESAMPLES }, () =>
    median(ratios.map(() => ratios[Math.floor(random() * ratios.length)] as number)),
  ).sort((left, right) => left - right);
  return {
    median: median(ratios),
    low: medians[Math.floor(RESAMPLES * 0.05)] as number,
    high: medians[Math.floor(RESAMPLES * 0.95)] as number,
  };
}

/** The middle value; the mean of the middle two when their number is even. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
