// The meters of the server while somebody looks at them, kept for as long as the server keeps them.
import { api } from './api';
import type { HistogramValues } from './figures';
import { Poller } from './poller';

export type Meter = number | Record<string, number> | HistogramValues;

export interface Pressure {
  usage_bytes: number;
  limit_bytes: number;
  // Of the limit, 0 to 1.
  level: number;
  // In the order in which they begin.
  actions: { name: string; begins_at: number; active: boolean; meaning: string }[];
}

// Of the memory on loan: bytes by purpose, and the people who hold most.
export interface Held {
  purposes: Record<string, number>;
  users: { id: string; name: string; email: string; bytes: number }[];
}

interface Answer {
  at: number;
  started_at: number;
  meters: Record<string, Meter>;
  pressure?: Pressure;
  held?: Held;
  history: { interval_seconds: number; samples_max: number; at: number[]; series: Record<string, number[]> };
}

export class ResourceFeed {
  at = $state(0);
  startedAt = $state(0);
  meters = $state.raw<Record<string, Meter>>({});
  pressure = $state.raw<Pressure | null>(null);
  held = $state.raw<Held | null>(null);
  // Of the last 15 minutes, oldest first: when, and by meter what.
  times = $state.raw<number[]>([]);
  series = $state.raw<Record<string, number[]>>({});
  loaded = $state(false);
  problem = $state('');

  private poller = new Poller(
    (signal) => this.refresh(signal),
    (problem) => (this.problem = problem),
  );

  // Until the function that it returns is called.
  start(): () => void {
    return this.poller.start();
  }

  // A meter without labels; 0 while it is not known.
  value(name: string): number {
    const meter = this.meters[name];
    return typeof meter === 'number' ? meter : 0;
  }

  labelled(name: string): [string, number][] {
    const meter = this.meters[name];
    return meter && typeof meter === 'object' && !('bounds' in meter) ? Object.entries(meter as Record<string, number>) : [];
  }

  histogram(name: string): HistogramValues {
    const meter = this.meters[name];
    return meter && typeof meter === 'object' && Array.isArray(meter.bounds) ? (meter as HistogramValues) : { bounds: [], counts: [], sum: 0 };
  }

  private async refresh(signal: AbortSignal): Promise<void> {
    const newest = this.times.at(-1);
    this.take(await api.get<Answer>(`/api/admin/resources${newest === undefined ? '' : `?since=${newest}`}`, signal));
  }

  private take({ at, started_at, meters, pressure, held, history }: Answer): void {
    // Another process answers: what was known is not its past.
    const again = this.startedAt !== 0 && started_at !== this.startedAt;
    const keep = <T>(old: T[], more: T[]) => [...(again ? [] : old), ...more].slice(-history.samples_max);
    const series: Record<string, number[]> = {};
    for (const [name, values] of Object.entries(history.series)) series[name] = keep(this.series[name] ?? [], values);
    this.series = series;
    this.times = keep(this.times, history.at);
    this.meters = meters;
    this.pressure = pressure ?? null;
    this.held = held ?? null;
    this.at = at;
    this.startedAt = started_at;
    this.loaded = true;
  }
}
