// Folders and tags, and what is done with chats from more than one place.
import { api, enc } from './api';
import { conversations } from './conversations.svelte';
import { notices } from './notices.svelte';
import { router } from './router.svelte';
import type { Conversation, Folder, List, Tag } from './types';

class Library {
  folders = $state.raw<readonly Folder[]>([]);
  tags = $state.raw<readonly Tag[]>([]);

  // Errors stay silent: the list of chats says that the server cannot be reached.
  async refresh(): Promise<void> {
    try {
      const [folders, tags] = await Promise.all([api.get<List<Folder>>('/api/folders'), api.get<List<Tag>>('/api/tags')]);
      this.folders = folders.data;
      this.tags = tags.data;
    } catch {
      // Next time.
    }
  }

  async create(name: string): Promise<Folder> {
    const folder = await api.post<Folder>('/api/folders', { name });
    this.folders = [...this.folders, folder];
    return folder;
  }

  async rename(id: string, name: string): Promise<void> {
    const folder = await api.patch<Folder>(`/api/folders/${enc(id)}`, { name });
    this.folders = this.folders.map((one) => (one.id === id ? { ...one, name: folder.name } : one));
    const { view } = conversations;
    if (view.kind === 'folder' && view.id === id) conversations.view = { ...view, name: folder.name };
  }

  async remove(id: string): Promise<void> {
    await api.delete(`/api/folders/${enc(id)}`);
    this.folders = this.folders.filter((one) => one.id !== id);
    const { view } = conversations;
    if (view.kind === 'folder' && view.id === id) conversations.show({ kind: 'all' });
  }

  async move(id: string, folder: string | null): Promise<void> {
    try {
      await conversations.change(id, { folder_id: folder ?? '' });
      void this.refresh();
    } catch (error) {
      notices.error(error);
    }
  }

  // Into the trash, with a way back.
  async trash(conversation: Conversation): Promise<void> {
    const { id } = conversation;
    try {
      await conversations.trash(id);
      if (router.conversationId === id) router.go('/', 'replace');
      notices.info('The chat is in the trash.', { label: 'Undo', run: () => void this.restore(id) });
      void this.refresh();
    } catch (error) {
      notices.error(error);
    }
  }

  async restore(id: string): Promise<void> {
    try {
      await conversations.restore(id);
      void this.refresh();
    } catch (error) {
      notices.error(error);
    }
  }
}

export const library = new Library();
