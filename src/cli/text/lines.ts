import { escapeUnsafe } from '../../model/plain-text.js';

/** A text of several lines with everything escaped that could steer a terminal but the ends of its lines. */
export function escapeLines(text: string): string {
  return text.split('\n').map(escapeUnsafe).join('\n');
}
