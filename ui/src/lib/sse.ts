// Server-sent events from text that arrives cut anywhere: in the middle of a line, between CR and LF, inside an event.
// Follows https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation, without `retry`.
export interface SseEvent {
  event: string;
  data: string;
}

export class SseParser {
  private rest = '';
  private data: string[] = [];
  private event = '';
  private first = true;

  // The events that `chunk` completes. Comment lines vanish here.
  push(chunk: string): SseEvent[] {
    const events: SseEvent[] = [];
    let text = this.rest + chunk;
    if (this.first && text.length > 0) {
      if (text.charCodeAt(0) === 0xfeff) text = text.slice(1);
      this.first = false;
    }
    let start = 0;
    // Where the unfinished line of the last push ends: no need to look through it again.
    let scan = Math.max(0, this.rest.length - 1);
    for (;;) {
      const end = nextLineEnd(text, scan);
      // A CR at the very end may be the first half of CR LF: wait for what follows.
      if (end < 0 || (text[end] === '\r' && end + 1 === text.length)) break;
      this.line(text.slice(start, end), events);
      start = text[end] === '\r' && text[end + 1] === '\n' ? end + 2 : end + 1;
      scan = start;
    }
    this.rest = text.slice(start);
    return events;
  }

  private line(line: string, events: SseEvent[]): void {
    if (line === '') {
      if (this.data.length > 0) events.push({ event: this.event || 'message', data: this.data.join('\n') });
      this.data = [];
      this.event = '';
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? '' : line.slice(colon + 1);
    if (value.startsWith(' ')) value = value.slice(1);
    if (field === 'data') this.data.push(value);
    else if (field === 'event') this.event = value;
  }
}

function nextLineEnd(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 10 || code === 13) return i;
  }
  return -1;
}
