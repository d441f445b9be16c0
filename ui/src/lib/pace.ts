// Work that is done once a frame. When a frame's work is heavy (one huge open block), frames are skipped to match.
export class Pace {
  private frame = 0;
  private timer = 0;
  private cost = 0; // ms, of the last time

  constructor(private readonly work: () => void) {}

  want(): void {
    if (this.frame || this.timer) return;
    const run = () => {
      this.frame = 0;
      this.timer = 0;
      this.work();
    };
    if (document.hidden) this.timer = window.setTimeout(run, 300);
    else if (this.cost > 6) this.timer = window.setTimeout(run, Math.min(this.cost * 5, 500));
    else this.frame = requestAnimationFrame(run);
  }

  // Does it, and what the page makes of it, and notes how long that took.
  measure(work: () => void): void {
    const start = performance.now();
    work();
    queueMicrotask(() => (this.cost = performance.now() - start));
  }

  stop(): void {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
  }
}
