// What answers took: rows of the server, and how they become a chart.
export interface UsageSum {
  requests: number;
  input_tokens: number;
  output_tokens: number;
  cost: number;
}

export interface UsageRow extends UsageSum {
  day: string; // 2026-01-31, UTC
  model: string;
}

export interface Usage {
  from: string;
  to: string;
  currency: string;
  total: UsageSum;
  data: UsageRow[];
}

export type Measure = 'tokens' | 'cost' | 'requests';

export const seriesMax = 6; // as many colours as there are in tokens.css

export interface Series {
  model: string;
  total: number;
}

// One rectangle of a day's bar, in hundredths of the chart's height from its foot.
export interface Piece {
  series: number;
  from: number;
  height: number;
}

export interface Bar {
  day: string;
  total: number;
  pieces: Piece[];
}

export interface Chart {
  series: Series[];
  bars: Bar[];
  most: number; // the tallest bar's total; 0: nothing was used
  total: number;
}

export function amount(row: UsageSum, measure: Measure): number {
  return measure === 'tokens' ? row.input_tokens + row.output_tokens : row[measure];
}

const dayMs = 86_400_000;
const manyDays = 1000;

export function daysBetween(from: string, to: string): string[] {
  const days: string[] = [];
  for (let at = Date.parse(`${from}T00:00:00Z`); at <= Date.parse(`${to}T00:00:00Z`) && days.length < manyDays; at += dayMs) days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}

// The models that took most have a colour each; the others share the last one.
export function chartOf(usage: Pick<Usage, 'from' | 'to' | 'data'>, measure: Measure): Chart {
  const totals = new Map<string, number>();
  for (const row of usage.data) totals.set(row.model, (totals.get(row.model) ?? 0) + amount(row, measure));
  const ranked = [...totals].filter(([, total]) => total > 0).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const alone = ranked.length > seriesMax ? seriesMax - 1 : ranked.length;
  const series = ranked.slice(0, alone).map(([model, total]) => ({ model, total }));
  if (ranked.length > alone) series.push({ model: 'Other models', total: ranked.slice(alone).reduce((sum, [, total]) => sum + total, 0) });
  const place = new Map(ranked.map(([model], i) => [model, Math.min(i, series.length - 1)]));

  const amounts = new Map(daysBetween(usage.from, usage.to).map((day) => [day, series.map(() => 0)]));
  for (const row of usage.data) {
    const of = amounts.get(row.day);
    const at = place.get(row.model);
    if (of && at !== undefined) of[at]! += amount(row, measure);
  }
  const sums = [...amounts.values()].map((of) => of.reduce((sum, one) => sum + one, 0));
  const most = Math.max(0, ...sums);
  const bars = [...amounts].map(([day, of], i) => {
    let from = 0;
    const pieces: Piece[] = [];
    of.forEach((one, at) => {
      const height = most > 0 ? (100 * one) / most : 0;
      if (height > 0) pieces.push({ series: at, from, height });
      from += height;
    });
    return { day, total: sums[i]!, pieces };
  });
  return { series, bars, most, total: sums.reduce((sum, one) => sum + one, 0) };
}

export function show(value: number, measure: Measure, currency: string): string {
  if (measure !== 'cost') return value < 10_000 ? value.toLocaleString() : new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 }).format(value);
  const digits = value > 0 && value < 1 ? 4 : 2;
  return `${value.toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: digits })} ${currency}`;
}

const unit: Record<Measure, string> = { tokens: 'tokens', requests: 'answers', cost: '' };

// A sentence for those who do not see the chart.
export function summary(chart: Chart, measure: Measure, currency: string): string {
  if (chart.total === 0) return 'Nothing was used in this time.';
  const named = (value: number) => `${show(value, measure, currency)}${unit[measure] ? ` ${unit[measure]}` : ''}`;
  const peak = chart.bars.reduce((a, b) => (b.total > a.total ? b : a));
  const first = chart.series[0]!;
  return `${named(chart.total)} in ${chart.bars.length} days. The most on ${peak.day}: ${named(peak.total)}. Most by ${first.model}: ${named(first.total)}.`;
}
