// What the composer loads when the first image is attached: a chunk of its own.
export { Attachments } from '../lib/attachments.svelte';
export { default as AttachmentTray } from './AttachmentTray.svelte';
