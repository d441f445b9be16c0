// A provider of identities as others have it: npm's oidc-provider, in a process of its own.
//   node real_provider.mjs PORT REDIRECT_URI
// Its own pages ask for a name and any password; the name becomes NAME@example.org. Run by `startRealProvider`.

import { spawn } from 'node:child_process';
import net from 'node:net';
import { fileURLToPath } from 'node:url';

export const kRealClient = { id: 'confab', secret: 'a secret of the real client' };

/** A free port, for a server that has to be named before it runs. */
export async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function startRealProvider(port, redirectUri) {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), String(port), redirectUri], { stdio: ['ignore', 'pipe', 'inherit'] });
  process.on('exit', () => child.kill());
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('exit', () => reject(new Error('the provider ended')));
  });
  return { stop: () => new Promise((resolve) => { child.once('exit', resolve); child.kill(); }) };
}

async function main(port, redirectUri) {
  const { default: Provider } = await import('oidc-provider');
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: kRealClient.id, client_secret: kRealClient.secret, redirect_uris: [redirectUri] }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    cookies: { keys: ['a key of the tests'] },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, email: `${sub}@example.org`, email_verified: true, name: `The real ${sub}` }) }),
  });
  provider.listen(port, '127.0.0.1', () => process.stdout.write('ready\n'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(Number(process.argv[2]), process.argv[3]);
