import { existsSync, readFileSync } from 'node:fs';
import { plainText } from '../model/plain-text.js';

/** Why the hold file holds, or undefined while it does not exist. Its first line is the reason. */
export function heldByFile(path: string | undefined): string | undefined {
  if (path === undefined || !existsSync(path)) return undefined;
  return `hold file ${path}: ${firstLine(path)}`;
}

function firstLine(path: string): string {
  try {
    return plainText(readFileSync(path, 'utf8').split('\n', 1)[0] ?? '') || 'no reason given';
  } catch {
    return 'no reason readable';
  }
}
