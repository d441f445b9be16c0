// Server-sent events from text that arrives cut anywhere: in the middle of a line, between CR and LF, inside an event.
// Follows https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation, without `retry`.
export interface SseEvent {
  event: string;
  data: string;
}

export class SseParser {
  // Pieces of the line that has not ended yet. They are joined once, at its end: joining with every piece would copy the
  // line as often as pieces come.
  private begun: string[] = [];
  private data: string[] = [];
  private event = '';
  private first = true;
  private afterReturn = false; // the last line ended in CR: an LF that follows belongs to it

  // The events that `chunk` completes. Comment lines vanish here.
  push(chunk: string): SseEvent[] {
    const events: SseEvent[] = [];
    if (chunk === '') return events;
    let start = 0;
    if (this.first && chunk.charCodeAt(0) === 0xfeff) start = 1;
    this.first = false;
    if (this.afterReturn && chunk[start] === '\n') start++;
    this.afterReturn = false;
    for (;;) {
      const end = nextLineEnd(chunk, start);
      if (end < 0) break;
      this.line(this.begun.join('') + chunk.slice(start, end), events);
      this.begun = [];
      this.afterReturn = chunk[end] === '\r' && end + 1 === chunk.length;
      start = chunk[end] === '\r' && chunk[end + 1] === '\n' ? end + 2 : end + 1;
    }
    if (start < chunk.length) this.begun.push(chunk.slice(start));
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
