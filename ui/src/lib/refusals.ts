// What the codes mean with which the server sends somebody back who came from a provider of identities. Only these words are shown: the
// address of a page is no place for anybody else's.
const texts: Record<string, string> = {
  openid_cancelled: 'You cancelled signing in. Nothing has changed.',
  openid_state: 'This sign-in took too long, or was begun in another browser. Please try again.',
  openid_unreachable: 'The sign-in service does not answer at the moment. Try again in a while.',
  openid_provider: 'The sign-in service gave an answer that cannot be used. Tell your administrator.',
  openid_keys: 'The sign-in service gave an answer that cannot be used. Tell your administrator.',
  openid_refused: 'The sign-in service refused. Please try again; if that does not help, tell your administrator.',
  openid_token: 'What the sign-in service said about you could not be trusted. Please try again; if that does not help, tell your administrator.',
  openid_busy: 'Many people are signing in just now. Try again in a moment.',
  openid_no_account: 'You have no account here. Ask an administrator for one.',
  openid_email: 'The sign-in service knows no confirmed email address of yours. Confirm one there, then try again.',
  openid_domain: 'Only people with email addresses of certain organisations may come in here.',
  openid_role: 'Your account at the sign-in service gives you no access here. Ask an administrator.',
  openid_taken: 'There is an account with your email address, but it belongs to another person at the sign-in service. Ask an administrator.',
  account_pending: 'Your account is waiting: an administrator has to let you in first. Try again when one has.',
  account_suspended: 'An administrator has suspended this account. Ask one to lift that.',
  too_many_pending: 'Too many people are waiting for an account. Ask an administrator.',
  setup_required: 'Confab has no administrator yet. It has to be set up first.',
};

// Empty for no code.
export function refusalText(code: string): string {
  if (!code) return '';
  return (Object.hasOwn(texts, code) && texts[code]) || 'You could not be signed in. Please try again.';
}
