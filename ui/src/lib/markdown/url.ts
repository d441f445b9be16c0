// Where a link in an answer may lead: the open web and mail, said in full. Everything else is shown as text.
import { decodeEntities } from './text';

const allowed = new Set(['http:', 'https:', 'mailto:']);

export function safeUrl(href: string): string | null {
  // The parser drops tabs and newlines inside a scheme ("java\tscript:"), so look at its result, not at the text.
  const text = decodeEntities(href).trim();
  if (text.length > 4096) return null;
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return null;
  }
  if (!allowed.has(url.protocol)) return null;
  // A name before the host is only ever used to deceive ("https://bank.example@evil.example").
  if (url.username || url.password) return null;
  return url.href.replaceAll(' ', '%20'); // the parser leaves them in a mail address
}
