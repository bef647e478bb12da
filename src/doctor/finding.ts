import { given } from '../model/given.js';
/** How much a finding matters: `error` keeps something that is wanted from working, `warning` will or may. */
export const SEVERITIES = ['ok', 'info', 'warning', 'error'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What a check saw. */
export interface Finding {
  readonly severity: Severity;
  /** One of several things that the check looks at, for example a folder. */
  readonly subject?: string;
  /** What was seen, for a person, with its figures. */
  readonly seen: string;
  /** Commands or words that change it; vmpulse never runs them. */
  readonly fix?: string;
}

/** A finding in the report. The names and their meaning are stable. */
export interface ReportedFinding {
  /** Id of the check. */
  readonly id: string;
  readonly subject: string | null;
  readonly severity: Severity;
  readonly seen: string;
  /** Why the check looks at it. */
  readonly why: string;
  readonly fix: string | null;
}

export const ok = (seen: string): Finding => ({ severity: 'ok', seen });
export const info = (seen: string, fix?: string): Finding => finding('info', seen, fix);
export const warning = (seen: string, fix?: string): Finding => finding('warning', seen, fix);
export const error = (seen: string, fix?: string): Finding => finding('error', seen, fix);

/** The same finding, about one of several things. */
export function of(subject: string, found: Finding): Finding {
  return { ...found, subject };
}

function finding(severity: Severity, seen: string, fix: string | undefined): Finding {
  return { severity, seen, ...given({ fix }) };
}
