/** Colours by meaning; plain where they are not wanted. */
export interface Paint {
  readonly good: (text: string) => string;
  readonly warning: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly faint: (text: string) => string;
  readonly strong: (text: string) => string;
}

const sgr = (code: number, end: number) => (text: string) => `\u001b[${code}m${text}\u001b[${end}m`;
const plain = (text: string) => text;

export const COLOURS: Paint = {
  good: sgr(32, 39),
  warning: sgr(33, 39),
  bad: sgr(31, 39),
  faint: sgr(2, 22),
  strong: sgr(1, 22),
};

export const NO_COLOURS: Paint = { good: plain, warning: plain, bad: plain, faint: plain, strong: plain };

const BAD: ReadonlySet<string> = new Set(['unhealthy', 'quarantined', 'failed']);
const GOOD: ReadonlySet<string> = new Set(['healthy', 'ok']);
const FAINT: ReadonlySet<string> = new Set(['stopped', 'paused', 'maintenance', 'unknown']);

/** A state of health or of a probe in the colour of its meaning. */
export function paintState(state: string, paint: Paint): string {
  if (GOOD.has(state)) return paint.good(state);
  if (BAD.has(state)) return paint.bad(state);
  return FAINT.has(state) ? paint.faint(state) : paint.warning(state);
}
