// One's own shares: links by which others read a chat.
import { api, enc } from './api';
import { dayOf } from './time';
import type { List } from './types';

export interface Share {
  id: string;
  conversation_id: string;
  title: string;
  created_at: number;
  expires_at: number | null;
  expired: boolean;
  // Only in the answer of the call that made it.
  path?: string;
}

export const lives: { days: number | null; name: string }[] = [
  { days: 1, name: 'One day' },
  { days: 7, name: '7 days' },
  { days: 30, name: '30 days' },
  { days: null, name: 'Until I revoke it' },
];

export const shares = {
  list: (options: { conversation?: string; after?: string } = {}) => {
    const query = new URLSearchParams({ limit: '50', ...options });
    return api.get<List<Share>>(`/api/shares?${query}`);
  },
  make: (conversation: string, days: number | null) => api.post<Share>(`/api/conversations/${enc(conversation)}/shares`, { expires_in_days: days }),
  revoke: (id: string) => api.delete(`/api/shares/${enc(id)}`),
};

export const endOf = (share: Share) => (share.expires_at === null ? 'does not expire' : `${share.expired ? 'expired' : 'expires'} ${dayOf(share.expires_at)}`);
