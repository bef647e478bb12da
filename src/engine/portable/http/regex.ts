import { createContext, Script } from 'node:vm';

const MAX_PATTERN_BYTES = 4 * 1024;
/** A match that takes longer is given up: the pattern is the user's, but the text is the guest's. */
const MATCH_MS = 100;
/** What the Rust engine's linear-time language does not have. */
const NOT_LINEAR = /\(\?<?[=!]|\\[1-9]|\\k</;
/** What it reads in another way within brackets. */
const CLASS_OPERATORS = /&&|--|~~|\[/;

/** Why a pattern is refused. */
export class RegexError extends Error {}

/** The sandbox in which patterns run: a script there can be stopped, and a match on this thread cannot. */
const sandbox: { pattern?: RegExp; text?: string } = {};
let match: (() => boolean) | undefined;

function runMatch(): boolean {
  if (match === undefined) {
    const context = createContext(sandbox);
    const script = new Script('pattern.test(text)');
    match = () => script.runInContext(context, { timeout: MATCH_MS }) === true;
  }
  return match();
}

/** True if the pattern matches; undefined if that could not be found out in time. */
export function matches(pattern: RegExp, text: string): boolean | undefined {
  sandbox.pattern = pattern;
  sandbox.text = text;
  try {
    return runMatch();
  } catch (error) {
    if (isTimeout(error)) return undefined;
    throw error;
  } finally {
    delete sandbox.pattern;
    delete sandbox.text;
  }
}

/** The error comes from the sandbox, so it is no Error of ours. */
function isTimeout(error: unknown): boolean {
  const isCoded = typeof error === 'object' && error !== null && 'code' in error;
  return isCoded && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}

/**
 * Compiles a pattern of the language that both engines have: JavaScript's with `u`, and flags `(?ims)` only at its
 * beginning. Throws RegexError.
 */
export function compileRegex(pattern: string): RegExp {
  if (Buffer.byteLength(pattern) > MAX_PATTERN_BYTES) {
    throw new RegexError(`is longer than ${MAX_PATTERN_BYTES} bytes`);
  }
  const [, flags = ''] = /^\(\?([ims]+)\)/.exec(pattern) ?? [];
  const rest = flags === '' ? pattern : pattern.slice(flags.length + 3);
  refuseOthers(rest);
  try {
    const regex = new RegExp(rest, `u${[...new Set(flags)].join('')}`);
    // Compiled on first use: what is too large is found now, not by a probe.
    if (matches(regex, '') === undefined) throw new RegexError('takes too long to match an empty text');
    return regex;
  } catch (error) {
    if (error instanceof RegexError) throw error;
    throw new RegexError(error instanceof Error ? error.message : String(error));
  }
}

function refuseOthers(pattern: string): void {
  const plain = pattern.replace(/\\[^1-9k]/g, '');
  if (NOT_LINEAR.test(plain))
    throw new RegexError('uses look-around or a back-reference; rewrite it without');
  for (const [, content = ''] of plain.matchAll(/\[((?:[^\]\\]|\\.)*)\]/gs)) {
    if (CLASS_OPERATORS.test(content)) {
      throw new RegexError(`has [${content}], which means different things to different engines; escape it`);
    }
  }
}
