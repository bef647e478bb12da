// Control characters (C0, DEL, C1), bidirectional overrides and line separators.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Text of a guest made safe to show and to log: control characters escaped, at most `maxChars` long. */
export function plainText(text: string, maxChars = 200): string {
  const cut = text.length > maxChars ? `${text.slice(0, maxChars)}…` : text;
  return escapeUnsafe(cut);
}

/** The same characters as escapes that JSON and quoted YAML read back, whatever the length. */
export function escapeUnsafe(text: string): string {
  return text.replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Whether there is something to escape. */
export function isUnsafe(text: string): boolean {
  return text.search(UNSAFE) >= 0;
}
