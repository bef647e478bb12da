import type { Output } from './cli.js';
import type { DaemonClient } from './client.js';

/** Spans and times in the picture grow older even when nothing happens, ms. */
const REFRESH_MS = 2_000;
/** Events that come together make one picture, ms. */
const SETTLE_MS = 100;
const CLEAR_SCREEN = '\u001b[H\u001b[2J';

export interface WatchOptions {
  readonly client: DaemonClient;
  readonly output: Output;
  /** On a terminal each picture replaces the one before; elsewhere, and for JSON, only changed ones are written. */
  readonly clear: boolean;
  readonly show: () => Promise<string>;
  readonly signal: AbortSignal;
}

/** Shows something again at every event of the daemon, until the signal fires. Rejects when the daemon goes away. */
export async function watch({ client, output, clear, show, signal }: WatchOptions): Promise<void> {
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  const onTerminal = clear && output.isTTY === true;
  let last = '';
  const draw = async () => {
    const text = await show();
    if (onTerminal) output.write(CLEAR_SCREEN + text);
    else if (text !== last) output.write(text);
    last = text;
  };
  const events = client.events(both);
  // Outstanding until an event comes. When a picture fails first, nobody asks any more how it ended.
  const listen = () => {
    const event = events.next();
    event.catch(() => {});
    return event;
  };
  try {
    await draw();
    let next = listen();
    while (!signal.aborted) {
      const came = await Promise.race([
        next.then(() => true),
        rest(onTerminal ? REFRESH_MS : undefined, both),
      ]);
      if (signal.aborted) return;
      if (came) {
        next = listen();
        await rest(SETTLE_MS, both);
      }
      await draw();
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    ended.abort();
  }
}

/** Resolves with false after `ms` (never, when not given) or when the signal fires. */
function rest(ms: number | undefined, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve(false);
    };
    const timer = ms === undefined ? undefined : setTimeout(end, ms);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}
