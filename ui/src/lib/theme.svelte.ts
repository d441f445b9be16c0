// The document carries the effective theme (light or dark); storage carries the choice. tools/theme-plugin.mjs applies it
// before the first paint.
import { load, save } from './storage';

export type ThemeChoice = 'system' | 'light' | 'dark';

const dark = matchMedia('(prefers-color-scheme: dark)');

class Theme {
  choice = $state<ThemeChoice>(readChoice());
  systemDark = $state(dark.matches);
  effective = $derived(this.choice === 'system' ? (this.systemDark ? 'dark' : 'light') : this.choice);

  constructor() {
    dark.addEventListener('change', () => {
      this.systemDark = dark.matches;
      this.apply();
    });
    this.apply();
  }

  set(choice: ThemeChoice): void {
    this.choice = choice;
    save('theme', choice === 'system' ? null : choice);
    this.apply();
  }

  private apply(): void {
    document.documentElement.dataset.theme = this.effective;
  }
}

function readChoice(): ThemeChoice {
  const kept = load('theme');
  return kept === 'light' || kept === 'dark' ? kept : 'system';
}

export const theme = new Theme();
