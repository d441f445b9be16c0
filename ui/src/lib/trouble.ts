// What went wrong with the newest answer, in words for people.
import type { LastResponse } from './types';

// `retry`: ask for the answer again, or send the message again (it never arrived).
export interface Trouble {
  kind: 'failed' | 'stopped' | 'cut';
  title: string;
  message: string;
  retry: 'answer' | 'send' | null;
}

// `partial`: some text of the answer is there. Null when all is well.
export function troubleOf(response: Pick<LastResponse, 'status' | 'error' | 'incomplete_details'>, partial: boolean): Trouble | null {
  switch (response.status) {
    case 'failed': {
      const message = response.error?.message ?? 'The model server failed without saying why.';
      return { kind: 'failed', title: partial ? 'The answer broke off' : 'No answer', message, retry: 'answer' };
    }
    case 'cancelled':
      return { kind: 'stopped', title: 'Stopped', message: '', retry: 'answer' };
    case 'incomplete':
      return { kind: 'cut', title: 'Incomplete', message: reasonOf(response.incomplete_details?.reason), retry: 'answer' };
    default:
      return null;
  }
}

function reasonOf(reason: string | undefined): string {
  if (reason === 'max_output_tokens') return 'The answer reached the longest length allowed.';
  if (reason === 'content_filter') return 'The model server’s content filter ended the answer.';
  return 'The answer was interrupted before it was complete.';
}
