// Who is signed in, and whether the server still waits for its first administrator.
import { api, ApiError, enc, whenSignedOut } from './api';
import { models } from './models.svelte';
import { router } from './router.svelte';
import { forget } from './storage';
import type { Me, Status, User } from './types';

const atDoor = () => ['/login', '/setup', '/signup'].includes(router.path);

class Session {
  state = $state<'loading' | 'setup' | 'signed-out' | 'signed-in' | 'unreachable'>('loading');
  user = $state.raw<User | null>(null);
  version = $state('');
  // Strangers may make themselves an account without being invited.
  signUpOpen = $state(false);
  // People may share chats by a link.
  sharing = $state(true);
  problem = $state('');
  // By which ways one comes in: passwords, and a provider of identities with this name.
  passwords = $state(true);
  provider = $state<string | null>(null);
  // There is something to end: one that a proxy, or the machine, vouches for is never signed out.
  leavable = $state(true);
  // Why a provider's answer did not let somebody in; a code of the server's.
  refusal = $state('');
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
      this.passwords = status.sign_in?.password ?? true;
      this.provider = status.sign_in?.openid?.name ?? null;
      if (router.path === '/login') this.refusal = new URLSearchParams(location.search).get('problem') ?? '';
      if (status.setup_required) {
        this.state = 'setup';
        router.go('/setup', 'replace');
        return;
      }
      const me = await api.get<Me>('/api/auth/me');
      this.leavable = me.signed_in_by !== 'surroundings';
      this.sharing = me.sharing !== false;
      this.signIn(me.user);
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

  // The server's own page that leads to the provider, and from there back to where one wanted to go.
  get providerAddress(): string {
    return `/api/auth/oidc/start?to=${enc(this.wanted)}`;
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
