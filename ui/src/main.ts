import { mount } from 'svelte';
import App from './App.svelte';
import './lib/theme.svelte';
import { session } from './lib/session.svelte';
import './styles/tokens.css';
import './styles/base.css';

// The token of a set-up address or an invitation leaves the address bar, and so the history, before anything else happens.
// That of a share stays, so that the page can be loaded again and kept; no browser sends it anywhere.
const shared = location.pathname === '/share';
let token = shared ? location.hash.slice(1) : '';
if (['/setup', '/signup'].includes(location.pathname) && location.hash.length > 1) {
  token = location.hash.slice(1);
  history.replaceState(null, '', location.pathname);
}

// Another link pasted over this one changes only the fragment.
if (shared) addEventListener('hashchange', () => location.reload());

// iOS lays its keyboard over the page instead of making it smaller; only the visual viewport knows.
const viewport = window.visualViewport;
if (viewport && matchMedia('(pointer: coarse)').matches) {
  const fit = () => document.documentElement.style.setProperty('--app-height', `${Math.round(viewport.height * viewport.scale)}px`);
  viewport.addEventListener('resize', fit);
  fit();
}

mount(App, { target: document.getElementById('app')!, props: { token } });
// What is shared is read by people without an account.
if (!shared) void session.start();
