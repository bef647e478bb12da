import { readFileSync } from 'node:fs';
import { monoMs } from '../clock.js';

/** How long one reading of the table is used: it is as long as the host has sockets. */
const FRESH_MS = 1000;
/** State of a connection that nobody accepted: it has no socket yet and shows the path of its listener. */
const CONNECTING = '02';

/**
 * Which Unix sockets have clients that nobody accepted yet. An agent that is not there and a socket that another
 * client holds are both silent; this tells them apart.
 */
export class Backlog {
  #readAtMs = Number.NEGATIVE_INFINITY;
  #paths: ReadonlySet<string> = new Set();

  holds(path: string): boolean {
    const nowMs = monoMs();
    if (nowMs - this.#readAtMs > FRESH_MS) {
      this.#paths = parse(readTable());
      this.#readAtMs = nowMs;
    }
    return this.#paths.has(path);
  }
}

function readTable(): string {
  try {
    return readFileSync('/proc/net/unix', 'utf8');
  } catch {
    // Unreadable: nothing is known, so nobody is said to be held up.
    return '';
  }
}

/** Columns: number, references, protocol, flags, type, state, inode, path. */
function parse(table: string): ReadonlySet<string> {
  const paths = new Set<string>();
  for (const line of table.split('\n')) {
    const [, , , , , state, , path] = line.split(/ +/);
    if (state === CONNECTING && path !== undefined) paths.add(path);
  }
  return paths;
}
