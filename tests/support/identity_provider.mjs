// A provider of identities that speaks OpenID Connect with real keys, and lies on demand: what it says of itself, its keys, its tokens and
// its answers can each be twisted. For the flow as a well-behaved provider has it see support/real_provider.mjs.

import http from 'node:http';
import { createHash, createHmac, createPrivateKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';

const base64url = (data) => Buffer.from(data).toString('base64url');
const json = (value) => base64url(JSON.stringify(value));

const kSignatures = {
  RS256: (data, key) => sign('sha256', data, key),
  PS256: (data, key) => sign('sha256', data, { key, padding: 6, saltLength: 32 }),
  ES256: (data, key) => sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' }),
  none: () => Buffer.alloc(0),
};

/** A key pair that signs with `alg`. */
export function newKey(alg = 'RS256', kid = randomUUID(), bits = 2048) {
  const pair = alg.startsWith('ES') ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('rsa', { modulusLength: bits });
  return { alg, kid, privateKey: pair.privateKey, publicKey: pair.publicKey, jwk: { ...pair.publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg } };
}

/** A token signed as the header says; with HS256, by the bytes of `secret`. */
export function makeToken(header, claims, key, secret) {
  const data = `${json(header)}.${json(claims)}`;
  const signature = header.alg === 'HS256' ? createHmac('sha256', secret).update(data).digest() : kSignatures[header.alg](Buffer.from(data), key && createPrivateKey(key.export({ format: 'pem', type: 'pkcs8' })));
  return `${data}.${base64url(signature)}`;
}

export async function startIdentityProvider() {
  const provider = new IdentityProvider();
  await new Promise((resolve) => provider.server.listen(0, '127.0.0.1', resolve));
  provider.port = provider.server.address().port;
  provider.issuer = `http://127.0.0.1:${provider.port}`;
  return provider;
}

class IdentityProvider {
  constructor() {
    this.clientId = 'confab-test';
    this.clientSecret = 'a secret: with %& signs';
    this.key = newKey();
    /** Paths that were asked for, with their headers and forms. */
    this.requests = [];
    /** Who signs in next. */
    this.person = {};
    this.straighten();
    this.codes = new Map();
    this.server = http.createServer((req, res) => void this.#answer(req, res).catch((error) => res.destroy(error)));
  }

  /** Takes back all twists. `twist` may hold: discovery, keys, header, claims, drop, token, tokenStatus, userinfo, callback, redirect, flood. */
  straighten() {
    this.twist = {};
    this.userinfo = null;
  }

  get flags() {
    return ['--oidc-issuer', this.issuer, '--oidc-client-id', this.clientId, '--oidc-name', 'Test Provider'];
  }

  get environment() {
    return { CONFAB_OIDC_CLIENT_SECRET: this.clientSecret };
  }

  count(path) {
    return this.requests.filter((request) => request.path === path).length;
  }

  close() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }

  async #answer(req, res) {
    const url = new URL(req.url, this.issuer);
    let text = '';
    for await (const part of req) text += part;
    const form = Object.fromEntries(new URLSearchParams(text));
    this.requests.push({ method: req.method, path: url.pathname, query: Object.fromEntries(url.searchParams), headers: req.headers, form });
    const send = (status, value) => {
      res.writeHead(status, { 'content-type': 'application/json' });
      res.end(JSON.stringify(value));
    };
    const twisted = this.twist[url.pathname];
    if (twisted) return void twisted(res, send);
    switch (url.pathname) {
      case '/.well-known/openid-configuration': return send(200, { ...this.description(), ...this.twist.discovery });
      case '/keys': return send(200, { keys: this.twist.keys ?? [this.key.jwk] });
      case '/authorize': return this.#authorize(url.searchParams, res);
      case '/token': return this.#token(req, form, send);
      case '/userinfo': return send(200, this.userinfo ?? {});
      default: return send(404, {});
    }
  }

  description() {
    return {
      issuer: this.issuer, authorization_endpoint: `${this.issuer}/authorize`, token_endpoint: `${this.issuer}/token`, jwks_uri: `${this.issuer}/keys`,
      ...(this.userinfo ? { userinfo_endpoint: `${this.issuer}/userinfo` } : {}), authorization_response_iss_parameter_supported: true,
    };
  }

  /** Nobody is asked anything: whoever comes is `person`. */
  #authorize(query, res) {
    const code = randomUUID();
    this.codes.set(code, { query: Object.fromEntries(query), person: this.person });
    const answer = { code, state: query.get('state'), iss: this.issuer, ...this.twist.callback };
    const kept = Object.entries(answer).filter(([, value]) => value !== undefined);
    res.writeHead(302, { location: `${query.get('redirect_uri')}?${new URLSearchParams(kept)}` });
    res.end();
  }

  #token(req, form, send) {
    const issued = this.codes.get(form.code);
    const expected = `Basic ${Buffer.from(`${encodeURIComponent(this.clientId)}:${escaped(this.clientSecret)}`).toString('base64')}`;
    if (req.headers.authorization !== expected) return send(401, { error: 'invalid_client' });
    const challenge = createHash('sha256').update(form.code_verifier ?? '').digest('base64url');
    const fits = issued && form.grant_type === 'authorization_code' && form.redirect_uri === issued.query.redirect_uri &&
      issued.query.code_challenge_method === 'S256' && challenge === issued.query.code_challenge;
    if (!fits) return send(400, { error: 'invalid_grant' });
    return send(200, { token_type: 'Bearer', access_token: 'an-access-token', id_token: this.twist.token ?? this.idToken(issued) });
  }

  idToken({ query, person }) {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: this.issuer, aud: this.clientId, iat: now, exp: now + 300, nonce: query.nonce, ...person, ...this.twist.claims };
    for (const name of this.twist.drop ?? []) delete claims[name];
    const key = this.twist.key ?? this.key;
    const header = { alg: key.alg, kid: key.kid, typ: 'JWT', ...this.twist.header };
    return makeToken(header, claims, key.privateKey, this.twist.secret);
  }
}

/** As application/x-www-form-urlencoded of RFC 6749 wants a secret, strictly. */
function escaped(text) {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
