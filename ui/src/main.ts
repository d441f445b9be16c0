import { mount } from 'svelte';
import App from './App.svelte';
import './lib/theme.svelte';
import { session } from './lib/session.svelte';
import './styles/tokens.css';
import './styles/base.css';

// The token of a set-up address or an invitation leaves the address bar, and so the history, before anything else happens.
let token = '';
if (['/setup', '/signup'].includes(location.pathname) && location.hash.length > 1) {
  token = location.hash.slice(1);
  history.replaceState(null, '', location.pathname);
}

// iOS lays its keyboard over the page instead of making it smaller; only the visual viewport knows.
const viewport = window.visualViewport;
if (viewport && matchMedia('(pointer: coarse)').matches) {
  const fit = () => document.documentElement.style.setProperty('--app-height', `${Math.round(viewport.height * viewport.scale)}px`);
  viewport.addEventListener('resize', fit);
  fit();
}

mount(App, { target: document.getElementById('app')!, props: { token } });
void session.start();
