import type { Outcome } from '../model/outcome.js';

/** The addresses of a host in the order in which they are tried, or what it means that there are none. */
export type Resolution =
  | { readonly addresses: readonly string[] }
  | { readonly outcome: Outcome; readonly detail: string };

/** Looks a host up; never rejects, ends within `deadlineMs`. */
export type ResolveHost = (host: string, options: { readonly deadlineMs: number }) => Promise<Resolution>;
