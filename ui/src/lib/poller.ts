// Asks again and again while somebody looks: the next time some seconds after an answer, and not at all while the page is hidden.
import { messageOf } from './api';

const refreshMs = 5_000;
const patienceMs = 10_000;

export class Poller {
  private timer = 0;
  private running = false;
  private asking: AbortController | null = null;

  // `ask` throws what api.ts throws. `tell` gets what there is to say of it: nothing after an answer.
  constructor(
    private ask: (signal: AbortSignal) => Promise<void>,
    private tell: (problem: string) => void,
  ) {}

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
      await this.ask(asking.signal);
      this.tell('');
    } catch (error) {
      if (this.asking !== asking) return; // hidden meanwhile, or left
      this.tell(late ? 'The server has not answered for 10 seconds. Its disk may be stuck, or it has far too much to do.' : messageOf(error));
    } finally {
      clearTimeout(patience);
    }
    if (this.running && this.asking === asking) this.timer = window.setTimeout(() => void this.refresh(), refreshMs);
  }
}
