// The address bar as state. Paths: / (new chat), /c/ID[?item=ID], /settings[/TAB], /login, /signup, /setup, /share.
class Router {
  path = $state(location.pathname);
  // The message that the address points at. `visits` counts, so that the same one can be gone to again.
  item = $state<string | null>(itemOf(location.search));
  visits = $state(0);
  // Asked before the page is left for another: false keeps it, and `proceed` may be called later.
  guard: ((proceed: () => void) => boolean) | null = null;
  // The chat that settings were opened from.
  private chatPath = '/';

  constructor() {
    addEventListener('popstate', () => {
      if (this.guard && location.pathname !== this.path) {
        const wanted = location.pathname + location.search;
        history.pushState(null, '', this.path);
        if (!this.guard(() => this.go(wanted))) return;
      }
      this.path = location.pathname;
      this.item = itemOf(location.search);
      this.visits++;
    });
  }

  go(path: string, how: 'push' | 'replace' = 'push'): void {
    if (this.guard && !this.guard(() => this.go(path, how))) return;
    if (path !== location.pathname + location.search || location.hash) {
      if (how === 'push') history.pushState(null, '', path);
      else history.replaceState(null, '', path);
    }
    if (this.path === '/' || this.conversationId !== null) this.chatPath = this.path;
    const [pathname = '/', search = ''] = path.split('?');
    this.path = pathname;
    this.item = itemOf(search);
    this.visits++;
  }

  toChat(): void {
    this.go(this.chatPath);
  }

  get conversationId(): string | null {
    const match = /^\/c\/([^/]+)$/.exec(this.path);
    return match ? decode(match[1]!) : null;
  }

  get settingsTab(): string | null {
    const match = /^\/settings(?:\/([a-z-]*))?$/.exec(this.path);
    return match ? (match[1] ?? '') : null;
  }
}

function itemOf(search: string): string | null {
  return new URLSearchParams(search).get('item');
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

export const router = new Router();

// An attachment for links: plain clicks stay in the page, clicks that ask for a new tab are left to the browser.
export function local(node: HTMLAnchorElement): () => void {
  const click = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    router.go(node.pathname + node.search);
  };
  node.addEventListener('click', click);
  return () => node.removeEventListener('click', click);
}
