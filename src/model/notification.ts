/** How bad what is told is, mildest first. */
export const SEVERITIES = ['info', 'warning', 'error', 'critical'] as const;

export type Severity = (typeof SEVERITIES)[number];

/** What a channel wants to hear of, as it is written, and the mildest that it is then told. */
export const NOTIFY_LEVELS = {
  all: 'info',
  warnings: 'warning',
  errors: 'error',
  critical: 'critical',
} as const;

export type NotifyLevel = keyof typeof NOTIFY_LEVELS;

/** Where a secret is; it is read again at every use. */
export type SecretPlace = { readonly file: string } | { readonly env: string };

export interface SmtpSettings {
  readonly host: string;
  readonly port: number;
  /** `starttls` is required, not only tried; `none`: a mail server on this host. */
  readonly security: 'tls' | 'starttls' | 'none';
  readonly from: string;
  /** Unset: without authentication. */
  readonly login?: { readonly user: string; readonly password: SecretPlace };
  /** PEM file of who signs its certificate; unset: those that Node knows. */
  readonly caFile?: string;
}

/** By which way a channel tells. */
export type NotifyWay =
  | { readonly kind: 'email'; readonly to: readonly string[] }
  | { readonly kind: 'slack'; readonly url: SecretPlace; readonly caFile?: string }
  | {
      readonly kind: 'webhook';
      readonly url: string;
      /** Sent as bearer token. */
      readonly token?: SecretPlace;
      readonly caFile?: string;
    }
  | { readonly kind: 'exec'; readonly argv: readonly string[]; readonly user?: string };

export interface NotifyChannel {
  /** Unique on the host. */
  readonly name: string;
  readonly way: NotifyWay;
  readonly level: NotifyLevel;
  /** Globs of VM ids; empty: all, and what concerns the whole host. */
  readonly vms: readonly string[];
}

export interface NotifySettings {
  /** How long further news of the same time are waited for, ms; default 10000. */
  readonly groupMs: number;
  /** Messages an hour and channel; further ones wait. Default 60. */
  readonly perHour: number;
  /** Unset: there is no mail. */
  readonly smtp?: SmtpSettings;
  readonly channels: readonly NotifyChannel[];
}

export const DEFAULT_NOTIFY_SETTINGS: NotifySettings = { groupMs: 10_000, perHour: 60, channels: [] };

/** Where this host reports to. */
export interface ReportSettings {
  readonly url: string;
  /** Sent as bearer token. */
  readonly token: SecretPlace;
  readonly intervalMs: number;
  readonly caFile?: string;
}
