// Web storage that may be full, forbidden or absent: what is kept here is a convenience, never needed.
export function load(key: string, area: 'local' | 'session' = 'local'): string | null {
  try {
    return (area === 'local' ? localStorage : sessionStorage).getItem(`confab.${key}`);
  } catch {
    return null;
  }
}

export function save(key: string, value: string | null, area: 'local' | 'session' = 'local'): void {
  try {
    const store = area === 'local' ? localStorage : sessionStorage;
    if (value) store.setItem(`confab.${key}`, value);
    else store.removeItem(`confab.${key}`);
  } catch {
    // Nothing depends on it.
  }
}

// Drafts and models of one person are nothing for the next one on the same browser.
export function forget(): void {
  try {
    sessionStorage.clear();
    localStorage.removeItem('confab.model');
  } catch {
    // Nothing was kept then.
  }
}
