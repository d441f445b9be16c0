// Behind a real nginx that ends TLS: what it says of its clients is believed when its address is trusted, and not otherwise.

import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Confab, kAdmin } from '../support/confab.mjs';
import { assertEnvelope, cookieHeader, cookiesOf, open, request, sameOrigin } from '../support/http.mjs';
import { form, image } from '../support/images.mjs';
import { startModelServer } from '../support/model_server.mjs';
import { startNginx } from '../support/nginx.mjs';

const kElsewhere = '203.0.113.9';
const credentials = { email: kAdmin.email, password: kAdmin.password };

for (const trusted of [true, false]) {
  describe(`a proxy that is ${trusted ? '' : 'not '}trusted`, () => {
    let model;
    let confab;
    let proxy;

    before(async () => {
      model = await startModelServer();
      confab = await Confab.start({ upstream: model.baseURL, args: trusted ? ['--trusted-proxy', '127.0.0.1'] : [] });
      proxy = await startNginx(confab);
    });
    after(async () => {
      await proxy?.close();
      await confab?.dispose();
      await model?.close();
    });

    it('people sign in through it', async () => {
      const res = await request(proxy, 'POST', '/api/auth/login', { json: credentials, headers: sameOrigin(proxy) });
      assert.equal(res.status, 200, res.text);
      const [[name, { attributes }]] = Object.entries(cookiesOf(res));
      assert.equal(name, trusted ? '__Host-confab_session' : 'confab_session');
      assert.equal(Boolean(attributes.secure), trusted);
      const me = await request(proxy, 'GET', '/api/auth/me', { cookie: cookieHeader(res) });
      assert.equal(me.json?.user.email, kAdmin.email, me.text);
    });

    it('an answer streams through it, piece by piece', async () => {
      const res = await open(proxy, 'POST', '/v1/responses', { key: confab.key, json: { model: 'script-words-n20-i50', input: 'x', stream: true } });
      let pieces = 0;
      let text = '';
      for await (const piece of res) {
        pieces += 1;
        text += piece;
      }
      assert.ok(pieces > 10, `${pieces} pieces`);
      assert.ok(text.endsWith('data: [DONE]\n\n'));
    });

    it('a large upload passes through it', async () => {
      const { body, headers } = form([['purpose', 'vision'], ['file', image('png', 8_000_000), 'x.png']]);
      const made = await request(proxy, 'POST', '/v1/files', { key: confab.key, body, headers });
      assert.equal(made.status, 200, made.text);
    });

    it(`a client’s address is ${trusted ? 'the one it names' : 'nobody’s business: it is no client of this machine, whatever it says'}`, async () => {
      const guess = (address) => request(proxy, 'POST', '/api/auth/login', {
        json: { email: `nobody-${Math.random()}@example.org`, password: 'wrong password' }, headers: { ...sameOrigin(proxy), 'x-forwarded-for': address },
      });
      assertEnvelope(await request(proxy, 'GET', '/metrics', { headers: { 'x-forwarded-for': kElsewhere } }), 403, { code: 'loopback_only' });
      if (!trusted) return;
      let res;
      for (let i = 0; i < 30 && res?.status !== 429; ++i) res = await guess(kElsewhere);
      assertEnvelope(res, 429);
      assertEnvelope(await guess('203.0.113.10'), 401);
    });
  });
}

describe('trusted proxies', () => {
  it('are named by address or network', async () => {
    const confab = await Confab.start();
    try {
      await assert.rejects(
        confab.bareCommand(['serve', '--listen', '127.0.0.1:0', '--data-dir', `${confab.home}/other`, '--trusted-proxy', 'nginx']),
        (error) => { assert.match(error.stderr, /'nginx' in trusted_proxies is no address or network/); return true; },
      );
      const shown = await confab.command(['config', '--trusted-proxy', '10.0.0.0/8', '--trusted-proxy', '::1']);
      assert.match(shown, /^trusted_proxies = \["10\.0\.0\.0\/8", "::1"\]\s+# flag$/m);
    } finally {
      await confab.dispose();
    }
  });
});
