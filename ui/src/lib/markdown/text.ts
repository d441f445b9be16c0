// Characters that lie to the eye, and entities that marked leaves in its tokens.

const names: Record<string, string> = {
  amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0', copy: '©', reg: '®', trade: '™', hellip: '…', mdash: '—',
  ndash: '–', lsquo: '‘', rsquo: '’', ldquo: '“', rdquo: '”', laquo: '«', raquo: '»', bull: '•', middot: '·', times: '×',
  divide: '÷', plusmn: '±', deg: '°', euro: '€', pound: '£', yen: '¥', cent: '¢', sect: '§', para: '¶', larr: '←', rarr: '→',
  uarr: '↑', darr: '↓', harr: '↔', infin: '∞', ne: '≠', le: '≤', ge: '≥', asymp: '≈', sum: '∑', prod: '∏', radic: '√',
  alpha: 'α', beta: 'β', gamma: 'γ', delta: 'δ', pi: 'π', sigma: 'σ', omega: 'ω', mu: 'µ', micro: 'µ', frac12: '½',
  colon: ':', tab: '\t', newline: '\n', sol: '/', lpar: '(', rpar: ')', num: '#', excl: '!', quest: '?', comma: ',',
  period: '.', semi: ';', equals: '=', lowbar: '_', ast: '*', lsqb: '[', rsqb: ']', lbrace: '{', rbrace: '}', grave: '`',
  bsol: '\\', vert: '|', shy: '\u00ad', ensp: '\u2002', emsp: '\u2003', thinsp: '\u2009', check: '✓', star: '☆',
};

export function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z]{2,12}\d{0,2}));/g, (all, decimal?: string, hex?: string, name?: string) => {
    if (name) return names[name] ?? names[name.toLowerCase()] ?? all;
    const code = decimal ? Number(decimal) : Number.parseInt(hex!, 16);
    const valid = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
    return valid ? String.fromCodePoint(code) : '\ufffd';
  });
}

// Bidirectional overrides, embeddings and isolates reorder what stands around them: never needed in what we show, since each
// block has its own direction. Written out instead: "[U+202E]".
const reordering = /[\u202a-\u202e\u2066-\u2069]/g;
// In code no invisible character is innocent.
const invisible = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udc7f]/g;
// Tag characters spell hidden text; only flags of regions use them in earnest.
const tags = /(?:\udb40[\udc00-\udc7f])+/g;

function spell(text: string): string {
  let out = '';
  for (const char of text) out += `[U+${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`;
  return out;
}

export function revealInProse(text: string): string {
  return text
    .replace(reordering, spell)
    .replace(tags, (run, at: number, all: string) => (all.slice(0, at).endsWith('\ud83c\udff4') ? run : spell(run)));
}

export function revealInCode(text: string): string {
  return text.replace(invisible, spell);
}

// For text tokens of marked: entities are text by now, and nothing reorders its surroundings.
export function prose(text: string): string {
  return revealInProse(decodeEntities(text));
}
