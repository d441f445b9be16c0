import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

// `fragments: 'tree'` builds templates with createElement instead of <template>.innerHTML: the page then works under
// `require-trusted-types-for 'script'` without any Trusted Types policy.
export default {
  preprocess: vitePreprocess(),
  compilerOptions: { runes: true, fragments: 'tree' },
};
