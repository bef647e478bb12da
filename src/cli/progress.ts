import type { Cli } from './cli.js';
import { bar, NO_PROGRESS, redrawn } from './text/bar.js';
import { span } from './text/time.js';

/** What is over sooner needs no sign that it goes on, ms. */
const QUIET_MS = 1_000;
const FRAME_MS = 250;

export interface Progress {
  /** One more is done. */
  step(): void;
  /** Takes away what is drawn, until it is drawn again. */
  hide(): void;
  /** Writes to stdout, above what is drawn. */
  write(text: string): void;
}

/** Does `total` things, and shows on a terminal how far it is once that takes longer than a second. */
export async function withProgress<T>(
  cli: Cli,
  label: string,
  total: number,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  const begunMs = performance.now();
  const isTerminal = cli.stderr.isTTY === true;
  let done = 0;
  let drawn = false;
  const draw = () => {
    const tookMs = performance.now() - begunMs;
    if (tookMs < QUIET_MS) return;
    const share = total > 1 ? `${bar(done / total)} ${done} of ${total}, ` : '';
    cli.stderr.write(redrawn(`${share}${label} … ${span(tookMs)}`));
    drawn = true;
  };
  const erase = () => {
    if (drawn) cli.stderr.write(NO_PROGRESS);
    drawn = false;
  };
  const timer = isTerminal ? setInterval(draw, FRAME_MS) : undefined;
  try {
    return await work({
      step: () => {
        done += 1;
      },
      hide: erase,
      write: (text) => {
        erase();
        cli.stdout.write(text);
      },
    });
  } finally {
    clearInterval(timer);
    erase();
  }
}
