// Whether all is well with the server: asked for every few seconds while somebody looks.
import { api, messageOf } from './api';
import type { Health } from './health';

const refreshMs = 5_000;
const patienceMs = 10_000;

export class HealthFeed {
  health = $state.raw<Health | null>(null);
  problem = $state('');

  private timer = 0;
  private running = false;
  private asking: AbortController | null = null;

  // Until the function that it returns is called.
  start(): () => void {
    this.running = true;
    const shown = () => (document.hidden ? this.rest() : void this.refresh());
    document.addEventListener('visibilitychange', shown);
    shown();
    return () => {
      this.running = false;
      document.removeEventListener('visibilitychange', shown);
      this.rest();
    };
  }

  private rest(): void {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.asking = null;
  }

  private async refresh(): Promise<void> {
    this.rest();
    const asking = new AbortController();
    this.asking = asking;
    let late = false;
    const patience = window.setTimeout(() => {
      late = true;
      asking.abort();
    }, patienceMs);
    try {
      this.health = await api.get<Health>('/api/admin/health', asking.signal);
      this.problem = '';
    } catch (error) {
      if (this.asking !== asking) return; // hidden meanwhile, or left
      this.problem = late ? 'The server has not answered for 10 seconds. Its disk may be stuck, or it has far too much to do.' : messageOf(error);
    } finally {
      clearTimeout(patience);
    }
    if (this.running && this.asking === asking) this.timer = window.setTimeout(() => void this.refresh(), refreshMs);
  }
}
