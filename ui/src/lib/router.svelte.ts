// The address bar as state. Paths: / (new chat), /c/ID, /settings[/TAB], /login, /setup.
class Router {
  path = $state(location.pathname);
  // The chat that settings were opened from.
  private chatPath = '/';

  constructor() {
    addEventListener('popstate', () => (this.path = location.pathname));
  }

  go(path: string, how: 'push' | 'replace' = 'push'): void {
    if (path !== location.pathname || location.hash) {
      if (how === 'push') history.pushState(null, '', path);
      else history.replaceState(null, '', path);
    }
    if (this.path === '/' || this.conversationId !== null) this.chatPath = this.path;
    this.path = path;
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
    router.go(node.pathname);
  };
  node.addEventListener('click', click);
  return () => node.removeEventListener('click', click);
}
