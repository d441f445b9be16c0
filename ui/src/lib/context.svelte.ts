// What the model still sees of a conversation: asked when the conversation is opened and after each answer, never before it.
import { api, enc } from './api';

export interface ContextInfo {
  model: string | null;
  context_tokens: number;
  budget_tokens: number;
  used_tokens: number;
  first_item_id: string | null;
  first_position: number | null;
  head_position: number;
  summary: { upto_item_id: string; upto_position: number; tokens: number; text: string; created_at: number } | null;
  compaction: 'auto' | 'off';
}

export class ContextView {
  info = $state.raw<ContextInfo | null>(null);
  private asked = 0;

  // Errors stay silent: nothing depends on it.
  async refresh(conversation: string, model: string | null): Promise<void> {
    const mine = ++this.asked;
    try {
      const query = model ? `?model=${enc(model)}` : '';
      const info = await api.get<ContextInfo>(`/api/conversations/${enc(conversation)}/context${query}`);
      if (mine === this.asked) this.info = info;
    } catch {
      if (mine === this.asked) this.info = null;
    }
  }

  // The item from which on the model reads, when something before it is left out.
  get first(): string | null {
    return this.info && (this.info.first_position ?? 1) > 1 ? this.info.first_item_id : null;
  }
}
