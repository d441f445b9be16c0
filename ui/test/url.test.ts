import assert from 'node:assert/strict';
import { test } from 'node:test';
import { safeUrl } from '../src/lib/markdown/url';

for (const href of ['https://example.org/a?b=c#d', 'http://localhost:8420/', 'mailto:me@example.org', 'HTTPS://EXAMPLE.ORG/', 'https&colon;//example.org/']) {
  test(`allows ${href}`, () => assert.ok(safeUrl(href)));
}

const refused = [
  'javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'java\tscript:alert(1)', ' \u0001javascript:alert(1)', 'javascript&colon;alert(1)', '&#106;avascript:alert(1)',
  'java&Tab;script:alert(1)', 'data:text/html,<script>alert(1)</script>', 'vbscript:x', 'file:///etc/passwd', 'blob:https://example.org/1', '//evil.example/', '/local',
  'relative', '#fragment', '', 'https://bank.example@evil.example/', 'https://user:pass@evil.example/', `https://example.org/${'a'.repeat(5000)}`,
];
for (const href of refused) test(`refuses ${JSON.stringify(href.slice(0, 60))}`, () => assert.equal(safeUrl(href), null));

test('writes no blanks', () => assert.equal(safeUrl('mailto:  somebody\t @a.example'), 'mailto:%20%20somebody%20@a.example'));
