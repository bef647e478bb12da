const NAMED = new Map([
  [0x0a, '\\n'],
  [0x0d, '\\r'],
  [0x09, '\\t'],
  [0x5c, '\\\\'],
]);

/** Untrusted bytes for people: printable ASCII stays, the rest becomes `\n`, `\xff` and so on; then `…` if cut. */
export function escapeBytes(bytes: Uint8Array, maxBytes: number): string {
  let text = '';
  for (const byte of bytes.subarray(0, maxBytes)) {
    text +=
      NAMED.get(byte) ??
      (byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`);
  }
  return bytes.length > maxBytes ? `${text}…` : text;
}

/** As `escapeBytes`, for text that came from outside. */
export function escapeText(text: string, maxBytes: number): string {
  return escapeBytes(Buffer.from(text.slice(0, maxBytes + 1), 'utf8'), maxBytes);
}
