// `confab review` for real: it starts servers of its own, measures them, and its scores are what they must be. Under sanitizers amounts of
// memory are inflated, ratios are not.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { kBinary } from '../support/confab.mjs';

let scratch;
before(async () => { scratch = await mkdtemp(join(tmpdir(), 'confab-test-review-')); });
after(() => rm(scratch, { recursive: true, force: true }));

function review(args, env = {}) {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, HOME: scratch, ...env }, timeout: 280_000, maxBuffer: 64 << 20 };
    execFile(kBinary, ['review', ...args], options, (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, stdout, stderr });
    });
  });
}

const measured = (subject, id) => subject.measurements.find((one) => one.id === id);

describe('review of Confab beside the reviewed way', () => {
  let run;
  let report;
  before(async () => {
    const json = join(scratch, 'report.json');
    run = await review(['--quick', '--as-reviewed', '--max-score', '1', '--scratch', scratch,
      '--json', json, '--html', join(scratch, 'report.html'), '--markdown', join(scratch, 'report.md')]);
    report = run.code === 0 || run.code === 3 ? JSON.parse(await readFile(json, 'utf8')) : null;
  });

  it('finds Confab flat', () => {
    assert.equal(run.code, 0, run.stderr);
    const [confab] = report.subjects;
    assert.equal(confab.name, 'Confab');
    assert.ok(confab.score <= 1, JSON.stringify(confab.measurements, null, 1));
    for (const { id, score, evidence } of confab.measurements) assert.notEqual(score, null, `${id}: ${evidence}`);
  });

  it('finds the faults of the reviewed way by itself, and scores it about as it was scored', () => {
    const reviewed = report.subjects[1];
    assert.ok(reviewed.score >= 5.5 && reviewed.score <= 8.5, JSON.stringify(reviewed.measurements, null, 1));
    const found = reviewed.findings.map(({ id }) => id);
    for (const id of ['memory.scaling', 'memory.session', 'lifecycle.database', 'lifecycle.model', 'streaming.first_text', 'streaming.page',
      'limits.cpu', 'limits.memory']) {
      assert.ok(found.includes(id), `${id}: ${JSON.stringify(measured(reviewed, id))}`);
    }
    // What it does well is not held against it.
    for (const id of ['limits.idle', 'lifecycle.client', 'lifecycle.descriptors']) {
      assert.ok(measured(reviewed, id).score < 3, `${id}: ${JSON.stringify(measured(reviewed, id))}`);
    }
    assert.equal(reviewed.roadmap[0].remedy, 'page-history');
  });

  it('counts from outside what Confab counts itself', () => {
    const [confab] = report.subjects;
    // All database connections of its life were opened before the first interaction.
    assert.equal(measured(confab, 'lifecycle.database').value, 0);
    assert.ok(confab.told.confab_store_connections_opened_total > 0);
    assert.equal(confab.told.confab_store_connections_opened_total, confab.told.confab_store_connections_live);
  });

  it('writes all documents and leaves nothing else behind', async () => {
    const html = await readFile(join(scratch, 'report.html'), 'utf8');
    assert.match(html, /^<!doctype html>[\s\S]*<svg[\s\S]*<\/html>\n$/);
    assert.doesNotMatch(html, /<script|https?:\/\//);
    assert.match(await readFile(join(scratch, 'report.md'), 'utf8'), /^# Resource review\n\n\*\*Confab: /);
    const left = (await readdir(scratch)).filter((name) => !name.startsWith('report.') && name !== '.cache');
    assert.deepEqual(left, []);
  });

  it('tells its progress', () => {
    assert.match(run.stderr, /\[ +\d+ s\] Confab: lengths\n/);
    assert.match(run.stderr, /As reviewed: memory limit\n/);
    assert.doesNotMatch(run.stderr, /\r/, 'no terminal, no line that moves');
  });
});

describe('review of another server', () => {
  // Answers like a model server, whole or streamed, and may hold on to what it was sent.
  function startTarget({ hold }) {
    const held = [];
    const server = createServer((request, response) => {
      const pieces = [];
      request.on('data', (piece) => pieces.push(piece));
      request.on('end', async () => {
        if (request.url === '/v1/models') return response.end('{"object":"list","data":[{"id":"some <b>model</b>"}]}');
        if (request.method !== 'POST') return response.writeHead(404).end();
        if (hold) held.push(Buffer.alloc(64 * 1024, 1));
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        const delta = (content) => `data: {"choices":[{"index":0,"delta":{"role":"assistant","content": ${JSON.stringify(content)}}}]}\n\n`;
        response.write(delta(''));
        for (let i = 0; i < 4; ++i) {
          if (!hold) await new Promise((resolve) => setTimeout(resolve, 20));
          if (response.destroyed) return;
          response.write(delta(`word${i} `));
        }
        response.end('data: [DONE]\n\n');
      });
    });
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve({ server, url: `http://127.0.0.1:${server.address().port}`, held })));
  }

  it('scores what can be seen, and says what cannot', async () => {
    const { server, url } = await startTarget({ hold: false });
    try {
      const json = join(scratch, 'target.json');
      const run = await review(['--quick', '--target', `${url}/v1`, '--json', json]);
      assert.equal(run.code, 0, run.stderr);
      const [target] = JSON.parse(await readFile(json, 'utf8')).subjects;
      assert.match(target.description, /model some <b>model<\/b>/);
      assert.equal(measured(target, 'streaming.first_text').score, 0, JSON.stringify(measured(target, 'streaming.first_text')));
      assert.equal(measured(target, 'lifecycle.client').score, 0);
      for (const id of ['memory.leak', 'memory.scaling', 'lifecycle.database', 'limits.memory']) {
        const { value, score, evidence } = measured(target, id);
        assert.deepEqual([value, score], [null, null]);
        assert.match(evidence, /^not measurable from outside/);
      }
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  it('sees a leak of a process that it is pointed at', async () => {
    const { server, url, held } = await startTarget({ hold: true });
    try {
      const json = join(scratch, 'leak.json');
      const run = await review(['--quick', '--target', url, '--pid', String(process.pid), '--max-score', '2', '--json', json]);
      assert.equal(run.code, 3, run.stderr);
      assert.match(run.stderr, /is above --max-score 2/);
      const [target] = JSON.parse(await readFile(json, 'utf8')).subjects;
      assert.ok(held.length > 100);
      assert.ok(measured(target, 'memory.leak').score >= 7, JSON.stringify(measured(target, 'memory.leak')));
      assert.ok(target.findings.some(({ id }) => id === 'memory.leak'));
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  it('says so when nobody answers there', async () => {
    const run = await review(['--quick', '--target', 'http://127.0.0.1:1']);
    assert.equal(run.code, 1);
    assert.match(run.stderr, /confab: .*Connection refused/);
  });
});

describe('review misused', () => {
  const wrong = [
    [['--max-score', '11'], 2, /max-score/],
    [['--max-score', 'low'], 2, /max-score/],
    [['--quick', '--long'], 2, /excludes/],
    [['--pid', '1'], 2, /--target/],
    [['--target', 'http://127.0.0.1:1', '--as-reviewed'], 2, /excludes/],
    [['--target', 'http://127.0.0.1:1', '--pid', '1', '--process', 'x'], 2, /excludes/],
    [['--target', 'https://127.0.0.1:1'], 1, /uses TLS/],
    [['--target', 'nonsense'], 1, /no address of a server/],
    [['--target', 'http://127.0.0.1:1', '--pid', '4194303'], 1, /no process 4194303/],
    [['--target', 'http://127.0.0.1:1', '--process', 'no such program'], 1, /no process with the name/],
    [['--target', 'http://127.0.0.1:1', '--cgroup', '/nowhere'], 1, /no memory figures/],
    [['--lengths', '100'], 1, /2 to 8 different numbers/],
    [['--lengths', '100,100'], 1, /2 to 8 different numbers/],
    [['--lengths', '100,x'], 2, /lengths/],
    [['--memory-limit', '1'], 1, /at least 32 MiB/],
    [['--scratch', '/nowhere'], 2, /\/nowhere/],
    [['--html', '/nowhere/report.html'], 1, /Cannot write \/nowhere/],
    [['--unknown'], 2, /unknown/],
  ];
  for (const [args, code, message] of wrong) {
    it(`${args.join(' ')}: status ${code}`, async () => {
      const run = await review(args);
      assert.equal(run.code, code, run.stderr);
      assert.match(run.stderr, message);
      assert.equal(run.stdout, '');
    });
  }

  it('helps', async () => {
    const run = await review(['--help']);
    assert.equal(run.code, 0);
    for (const word of ['--as-reviewed', '--target', '--max-score', '--html', 'docs/review.md', 'Examples:']) assert.ok(run.stdout.includes(word), word);
    assert.ok(!run.stdout.includes('serve-as-reviewed'));
  });
});
