// Keys by which the server knows that a request comes for the second time (Idempotency-Key): what was sent and may or may not have
// arrived is sent again under the same key, and is done once.
export class SendingKeys {
  private readonly keys = new Map<string, string>();

  // Something new is sent: what was sent before is not repeated any more.
  begin(): void {
    this.keys.clear();
  }

  // The same for the same request; a changed one (another model) is another request.
  of(path: string, body: unknown): string {
    const request = `${path} ${JSON.stringify(body)}`;
    let key = this.keys.get(request);
    if (!key) this.keys.set(request, (key = newKey()));
    return key;
  }
}

// randomUUID() exists over HTTPS only, and Confab also runs without.
function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
