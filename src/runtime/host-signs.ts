import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostSigns } from './poll-host.js';

/** A shutdown that is planned counts from this long before: logins are refused from then on as well. */
const SHUTDOWN_AHEAD_MS = 5 * 60_000;
/** Share of the last 10 s, percent, from which on the host counts as pressed, and below which it no longer does. */
const PRESSED = {
  cpu: { line: 'some', from: 90, until: 70 },
  memory: { line: 'some', from: 20, until: 10 },
  io: { line: 'full', from: 40, until: 20 },
} as const;

/** What files of the host say of the host; `before` is the last answer, so that a value at the edge does not flicker. */
export function readHostSigns(before: HostSigns, now: number, root = '/'): HostSigns {
  return {
    shutdown: shutdownBegun(root, now),
    pressure: pressure(root, before.pressure !== null),
    memory: shortage(root, before.memory !== null),
  };
}

/** systemd refuses logins from 5 minutes before a shutdown on, and while it lasts; no bus is needed to see it. */
function shutdownBegun(root: string, now: number): string | null {
  const scheduled = read(join(root, 'run/systemd/shutdown/scheduled'));
  const micros = /^USEC=([0-9]{1,17})$/m.exec(scheduled)?.[1];
  if (micros !== undefined && Number(micros) / 1000 - now <= SHUTDOWN_AHEAD_MS) {
    const mode = /^MODE=([a-z-]{1,20})$/m.exec(scheduled)?.[1] ?? 'shutdown';
    return `${mode} at ${new Date(Number(micros) / 1000).toISOString()}`;
  }
  return existsSync(join(root, 'run/nologin')) ? '/run/nologin is there' : null;
}

/** Pressure stall information of the kernel; none where it was not built in. */
function pressure(root: string, was: boolean): string | null {
  const found: string[] = [];
  for (const [what, { line, from, until }] of Object.entries(PRESSED)) {
    const share = avg10(root, what, line);
    if (share >= (was ? until : from)) found.push(`${what} ≥ ${inFives(share)} %`);
  }
  return found.length === 0 ? null : found.join(', ');
}

/** Share of memory that is available, percent, below which no VMM is started, and above which one is again. */
const SHORT_PERCENT = { below: 3, until: 6 };
/** Share of the last 10 s in which all processes waited for memory, percent. */
const STALLED_PERCENT = { from: 15, until: 5 };

function shortage(root: string, was: boolean): string | null {
  const meminfo = read(join(root, 'proc/meminfo'));
  const kib = (name: string) =>
    Number(new RegExp(`^${name}: +([0-9]+) kB$`, 'm').exec(meminfo)?.[1] ?? Number.NaN);
  const available = (100 * kib('MemAvailable')) / kib('MemTotal');
  if (available < (was ? SHORT_PERCENT.until : SHORT_PERCENT.below)) {
    return `< ${Math.floor(available) + 1} % of it is available`;
  }
  const stalled = avg10(root, 'memory', 'full');
  return stalled >= (was ? STALLED_PERCENT.until : STALLED_PERCENT.from)
    ? `all processes waited for it ≥ ${inFives(stalled)} % of the time`
    : null;
}

/** Coarse, as each other text is news to the policy and an entry of the log. */
function inFives(percent: number): number {
  return Math.floor(percent / 5) * 5;
}

/** Processes that the kernel ended for want of memory since the host booted. */
export function readOomKills(root = '/'): number {
  return Number(/^oom_kill ([0-9]+)$/m.exec(read(join(root, 'proc/vmstat')))?.[1] ?? 0);
}

function avg10(root: string, what: string, line: 'some' | 'full'): number {
  const text = read(join(root, 'proc/pressure', what));
  return Number(new RegExp(`^${line} avg10=([0-9.]+) `, 'm').exec(text)?.[1] ?? 0);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
