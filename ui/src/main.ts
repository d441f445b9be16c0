import { mount } from 'svelte';
import App from './App.svelte';
import './lib/theme.svelte';
import { session } from './lib/session.svelte';
import './styles/tokens.css';
import './styles/base.css';

// The set-up token leaves the address bar, and so the history, before anything else happens.
let setupToken = '';
if (location.pathname === '/setup' && location.hash.length > 1) {
  setupToken = location.hash.slice(1);
  history.replaceState(null, '', '/setup');
}

// iOS lays its keyboard over the page instead of making it smaller; only the visual viewport knows.
const viewport = window.visualViewport;
if (viewport && matchMedia('(pointer: coarse)').matches) {
  const fit = () => document.documentElement.style.setProperty('--app-height', `${Math.round(viewport.height * viewport.scale)}px`);
  viewport.addEventListener('resize', fit);
  fit();
}

mount(App, { target: document.getElementById('app')!, props: { setupToken } });
void session.start();
