import type { Evidence } from '../model/health.js';
import { LIMITS } from './defaults.js';

/** Wall-clock milliseconds as UTC, for people: `2026-01-31T12:00:00.000Z`. */
export function utc(ms: number): string {
  return new Date(ms).toISOString();
}

/** A duration for people: `350 ms`, `12 s`, `1.5 s`, `3 min`, `2 h`. */
export function span(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 120_000) return `${Math.round(ms / 100) / 10} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 6_000) / 10} min`;
  return `${Math.round(ms / 360_000) / 10} h`;
}

/** A moment to come, with how long it is until then. */
export function inTime(atMs: number, now: number): string {
  return `${utc(atMs)} (in ${span(atMs - now)})`;
}

/** Text of the outside, bounded; it was escaped before it came here. */
export function bounded(text: string): string {
  return text.length > LIMITS.textChars ? `${text.slice(0, LIMITS.textChars)}…` : text;
}

export function evidence(atMs: number, source: string, text: string): Evidence {
  return { atMs, source, text: bounded(text) };
}

/** Oldest first and at most as many as are kept. */
export function orderEvidence(list: readonly Evidence[]): Evidence[] {
  const sorted = [...list].sort((a, b) => a.atMs - b.atMs);
  return sorted.slice(0, LIMITS.evidenceKept);
}
