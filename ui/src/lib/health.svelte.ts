// Whether all is well with the server: asked for every few seconds while somebody looks.
import { api } from './api';
import type { Health } from './health';
import { Poller } from './poller';

export class HealthFeed {
  health = $state.raw<Health | null>(null);
  problem = $state('');

  private poller = new Poller(
    async (signal) => {
      this.health = await api.get<Health>('/api/admin/health', signal);
    },
    (problem) => (this.problem = problem),
  );

  // Until the function that it returns is called.
  start(): () => void {
    return this.poller.start();
  }
}
