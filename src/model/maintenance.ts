/** What maintenance can do by itself; how, by the system of the guest: src/runtime/maintenance/commands.ts. */
export const MAINTENANCE_TASKS = [
  'journal-vacuum',
  'tmpfiles-clean',
  'package-cache-clean',
  'restart',
  'updates',
] as const;

export type MaintenanceTask = (typeof MAINTENANCE_TASKS)[number];

/** Recurring maintenance of one VM. */
export interface MaintenanceEntry {
  /** Unique in its VM. */
  readonly name: string;
  /** Cron expression of five fields, UTC. */
  readonly schedule: string;
  /** A built-in, or a command in the guest, no shell. */
  readonly do: MaintenanceTask | { readonly command: readonly string[] };
}
