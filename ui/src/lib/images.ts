// Where the images of messages come from: one's own files, unless a page around them says otherwise.
import { getContext, setContext } from 'svelte';
import { api, enc } from './api';
import type { StoredFile } from './types';

export interface ImageSource {
  // An address for <img>.
  url: (id: string) => string | Promise<string>;
  describe: (id: string) => Promise<{ filename: string }>;
}

const own: ImageSource = {
  url: (id) => `/v1/files/${enc(id)}/content`,
  describe: (id) => api.get<StoredFile>(`/v1/files/${enc(id)}`),
};

const key = Symbol('images');

export const imageSource = (): ImageSource => getContext<ImageSource | undefined>(key) ?? own;
export const provideImages = (source: ImageSource) => setContext(key, source);
