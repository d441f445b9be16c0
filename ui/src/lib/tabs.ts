// Other tabs of this browser hear at once when an answer begins in a conversation that they may show. (Other devices find out
// when they are looked at again.)
const channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('confab.answers');

export const tabs = {
  tell(conversation: string): void {
    channel?.postMessage(conversation);
  },

  // `heard` gets the conversation's id. Returns how to stop listening.
  listen(heard: (conversation: string) => void): () => void {
    const handler = ({ data }: MessageEvent) => typeof data === 'string' && heard(data);
    channel?.addEventListener('message', handler);
    return () => channel?.removeEventListener('message', handler);
  },
};
