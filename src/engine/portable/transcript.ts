import { escapeBytes } from './text.js';

/** Characters that are kept. */
const MAX_CHARS = 16 * 1024;
/** Bytes of one line that are shown. */
const MAX_LINE = 1024;

/** The bounded transcript of one probe. Lines begin with `>` (sent), `<` (received) or `*` (what happened). */
export class Transcript {
  #text = '';
  #full = false;

  line(mark: '>' | '<' | '*', bytes: Uint8Array): void {
    if (this.#full) return;
    if (this.#text.length + Math.min(bytes.length, MAX_LINE) * 4 > MAX_CHARS) {
      this.#full = true;
      this.#text += '* transcript cut here\n';
      return;
    }
    this.#text += `${mark} ${escapeBytes(bytes, MAX_LINE)}\n`;
  }

  note(text: string): void {
    this.line('*', Buffer.from(text, 'utf8'));
  }

  /** A head, a line each. */
  head(mark: '>' | '<', head: Uint8Array): void {
    for (const line of Buffer.from(head).toString('latin1').split('\n')) {
      const text = line.endsWith('\r') ? line.slice(0, -1) : line;
      if (text !== '') this.line(mark, Buffer.from(text, 'latin1'));
    }
  }

  get text(): string {
    return this.#text;
  }
}
