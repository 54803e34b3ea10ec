/** Samples of a figure over time, and how fast it grows. */

/** One figure of one process, or of the whole system, at a moment. */
export interface Sample {
  readonly minutes: number;
  readonly value: number;
}

/**
 * The growth of a figure a minute, by least squares. Each series has a level of its own: a process that was started anew
 * begins anew, and only what grows during the life of a process counts.
 */
export function slope(series: readonly (readonly Sample[])[]): number {
  let products = 0, squares = 0;
  for (const samples of series) {
    const minutes = mean(samples.map((each) => each.minutes));
    const value = mean(samples.map((each) => each.value));
    for (const sample of samples) {
      products += (sample.minutes - minutes) * (sample.value - value);
      squares += (sample.minutes - minutes) ** 2;
    }
  }
  return squares ? products / squares : 0;
}

/** NaN when there are none. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
