// The models that can be asked, and the one that a new chat starts with.
import { api } from './api';
import { load, save } from './storage';
import type { Model, ModelList, UpstreamState } from './types';

class Models {
  readonly demo = 'confab-demo';
  list = $state.raw<Model[]>([]);
  upstreams = $state.raw<UpstreamState[]>([]);
  standard = $state<string | null>(null);
  loaded = $state(false);
  last = $state<string | null>(load('model'));

  // Only the built-in model is there: nothing is connected yet.
  demoOnly = $derived(this.loaded && this.list.length > 0 && this.list.every((model) => model.owned_by === 'confab'));

  // The model of a chat that has none of its own.
  get preferred(): string | null {
    if (this.last && this.has(this.last)) return this.last;
    if (this.standard && this.has(this.standard)) return this.standard;
    return this.list[0]?.id ?? this.standard;
  }

  has(id: string): boolean {
    return this.list.some((model) => model.id === id);
  }

  async refresh(): Promise<void> {
    const answer = await api.get<ModelList>('/v1/models');
    this.list = answer.data;
    this.upstreams = answer.upstreams ?? [];
    this.standard = answer.default_model;
    this.loaded = true;
  }

  // For the next person on this browser.
  forget(): void {
    this.last = null;
    this.loaded = false;
    this.list = [];
  }

  remember(id: string): void {
    this.last = id;
    save('model', id);
  }
}

export const models = new Models();
