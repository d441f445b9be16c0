// Figures as people read them, and what is worked out from the meters. No markup, no state.
const kB = 1024;

// "0 B", "512 B", "3.4 KB", "128 MB"; three digits at most.
export function bytes(value: number): string {
  if (value < kB) return `${Math.round(value)} B`;
  const units = ['KB', 'MB', 'GB', 'TB'];
  let scaled = value / kB;
  let unit = 0;
  while (scaled >= 1000 && unit < units.length - 1) {
    scaled /= kB;
    unit++;
  }
  return `${digits(scaled)} ${units[unit]}`;
}

// At most three digits that matter, without an exponent: "0", "0.25", "3.4", "128", "12,400".
export function digits(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  const places = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  const rounded = Number(value.toFixed(places));
  return rounded === 0 ? (value > 0 ? '< 0.01' : '0') : rounded.toLocaleString('en-US');
}

export const count = (value: number) => Math.round(value).toLocaleString('en-US');

// "0.4 ms", "12 ms", "1.3 s".
export const time = (seconds: number) => (seconds < 1 ? `${digits(seconds * 1000)} ms` : `${digits(seconds)} s`);

export const percent = (share: number) => `${digits(share * 100)} %`;

// What a plot says in words.
export function summary(label: string, values: readonly number[], format: (value: number) => string): string {
  if (values.length === 0) return `${label}: nothing recorded yet`;
  const now = values.at(-1)!;
  const low = Math.min(...values);
  const high = Math.max(...values);
  const range = format(low) === format(high) ? 'unchanged' : `between ${format(low)} and ${format(high)}`;
  return `${label}: now ${format(now)}, ${range} in the last 15 minutes`;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

// Of one thing for each of another, over all samples; null when there was none of the other. Both are rates.
export function each(of: readonly number[] | undefined, per: readonly number[] | undefined): number | null {
  const events = sum(per ?? []);
  return events > 0 ? sum(of ?? []) / events : null;
}

export interface HistogramValues {
  bounds: number[];
  counts: number[];
  sum: number;
}

export const observed = (histogram: HistogramValues) => sum(histogram.counts);

// The bound below which at least this share of all values lies; null without values, and for what is above the last bound.
export function quantile(histogram: HistogramValues, share: number): number | null {
  const wanted = observed(histogram) * share;
  if (wanted === 0) return null;
  let seen = 0;
  for (const [i, bound] of histogram.bounds.entries()) {
    seen += histogram.counts[i] ?? 0;
    if (seen >= wanted) return bound;
  }
  return null;
}

// The classes of a histogram with a name and their share of all: "1", "2–5", "over 200". Values are whole numbers.
export function classes(histogram: HistogramValues, format: (value: number) => string): { name: string; count: number; share: number }[] {
  const all = Math.max(1, observed(histogram));
  return histogram.counts.map((counted, i) => {
    const bound = histogram.bounds[i];
    const before = histogram.bounds[i - 1];
    let name: string;
    if (bound === undefined) name = `over ${format(before ?? 0)}`;
    else if (before === undefined || bound - before <= 1) name = format(bound);
    else name = `${format(before + 1)}–${format(bound)}`;
    return { name, count: counted, share: counted / all };
  });
}

// A round number that is not below any value: the top of a plot.
export function top(most: number): number {
  if (!(most > 0)) return 1;
  const step = 10 ** Math.floor(Math.log10(most));
  return ([1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((factor) => factor * step >= most) ?? 10) * step;
}

// The same for bytes, which are shown in steps of 1024.
export function topBytes(most: number): number {
  let unit = 1;
  while (most / unit >= 1000) unit *= kB;
  return Math.max(unit, top(most / unit) * unit);
}
