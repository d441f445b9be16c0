// Who is signed in, and whether the server still waits for its first administrator.
import { api, ApiError, whenSignedOut } from './api';
import { models } from './models.svelte';
import { router } from './router.svelte';
import { forget } from './storage';
import type { Status, User } from './types';

const atDoor = () => ['/login', '/setup', '/signup'].includes(router.path);

class Session {
  state = $state<'loading' | 'setup' | 'signed-out' | 'signed-in' | 'unreachable'>('loading');
  user = $state.raw<User | null>(null);
  version = $state('');
  // Strangers may make themselves an account without being invited.
  signUpOpen = $state(false);
  problem = $state('');
  // Where to go after signing in.
  private wanted = '/';

  get admin(): boolean {
    return this.user?.role === 'admin';
  }

  async start(): Promise<void> {
    this.state = 'loading';
    try {
      const status = await api.get<Status>('/api/status');
      this.version = status.version;
      this.signUpOpen = status.signup === 'open';
      if (status.setup_required) {
        this.state = 'setup';
        router.go('/setup', 'replace');
        return;
      }
      this.signIn((await api.get<{ user: User }>('/api/auth/me')).user);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.signedOut();
      else {
        this.problem = error instanceof Error ? error.message : String(error);
        this.state = 'unreachable';
      }
    }
  }

  signIn(user: User): void {
    this.user = user;
    this.state = 'signed-in';
    if (atDoor()) router.go(this.wanted, 'replace');
    this.wanted = '/';
  }

  async signOut(): Promise<void> {
    await api.post('/api/auth/logout');
    forget();
    models.forget();
    this.wanted = '/';
    this.user = null;
    this.state = 'signed-out';
    router.go('/login', 'replace');
  }

  // The server no longer knows us: remember the place, ask to sign in.
  signedOut(): void {
    if (this.state === 'signed-out' || this.state === 'setup') return;
    if (!atDoor()) this.wanted = router.path + location.search;
    this.user = null;
    this.state = 'signed-out';
    if (router.path !== '/signup') router.go('/login', 'replace');
  }
}

export const session = new Session();
whenSignedOut(() => session.signedOut());
