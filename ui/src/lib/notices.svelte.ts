// What the page says about itself: toasts for eyes, announcements for screen readers.
import { messageOf } from './api';

export interface Toast {
  id: number;
  kind: 'error' | 'info';
  text: string;
  action?: { label: string; run: () => void };
}

const maxToasts = 3;

class Notices {
  toasts = $state.raw<Toast[]>([]);
  spoken = $state('');
  private next = 1;

  show(kind: Toast['kind'], text: string, action?: Toast['action']): void {
    if (this.toasts.some((toast) => toast.text === text && toast.kind === kind)) return;
    const toast: Toast = { id: this.next++, kind, text, ...(action ? { action } : {}) };
    this.toasts = [...this.toasts.slice(-(maxToasts - 1)), toast];
    // Errors stay long enough to be read and acted on.
    setTimeout(() => this.dismiss(toast.id), kind === 'error' || action ? 10_000 : 4_000);
  }

  error(error: unknown, action?: Toast['action']): void {
    this.show('error', messageOf(error), action);
  }

  info(text: string, action?: Toast['action']): void {
    this.show('info', text, action);
  }

  dismiss(id: number): void {
    this.toasts = this.toasts.filter((toast) => toast.id !== id);
  }

  // The same words twice in a row are spoken twice: the region is emptied in between.
  announce(text: string): void {
    this.spoken = '';
    setTimeout(() => (this.spoken = text), 60);
  }
}

export const notices = new Notices();
