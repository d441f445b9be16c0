import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { themeScript } from './tools/theme-plugin.mjs';

// The page runs under a policy without inline code and without markup sinks, so nothing may be inlined: no data: assets,
// no polyfill snippet in the document.
export default defineConfig({
  plugins: [svelte(), themeScript()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    cssCodeSplit: true,
    reportCompressedSize: false,
  },
});
