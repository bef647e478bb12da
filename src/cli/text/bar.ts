const WIDTH = 30;

/** A bar that is full at a share of 1. */
export function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * WIDTH);
  return '█'.repeat(full) + '░'.repeat(WIDTH - full);
}

/** Takes away what was drawn on the line. */
export const NO_PROGRESS = '\r\u001b[K';

/** Draws over the line. */
export function redrawn(text: string): string {
  return `\r${text}\u001b[K`;
}
