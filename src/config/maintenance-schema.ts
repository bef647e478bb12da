import { z } from 'zod';
import { MAINTENANCE_TASKS, type MaintenanceEntry } from '../model/maintenance.js';
import { cronField } from './cron.js';
import { argumentField, stepNameField } from './fields.js';
import type { PathStep, ProblemList } from './problems.js';
import type { SourceDocument } from './source-document.js';

const entry = z.strictObject({
  name: stepNameField,
  schedule: cronField,
  do: z.enum(MAINTENANCE_TASKS).optional(),
  command: z
    .array(argumentField)
    .min(1)
    .max(64)
    .meta({ unit: 'list of arguments', example: '[/usr/local/sbin/rotate-logs]' })
    .optional(),
});

/** Recurring maintenance as the host document writes it. */
export const maintenanceSchema = z.array(entry).max(32);

export type WrittenMaintenance = z.output<typeof maintenanceSchema>;

const DELETES = /(^|\/)rm$/;
const PATH = ['spec', 'maintenance'] as const;

/** Checks what no single field shows. An entry with a problem is left out. */
export function buildMaintenance(
  written: WrittenMaintenance,
  hasAgent: boolean,
  document: SourceDocument,
  problems: ProblemList,
): readonly MaintenanceEntry[] {
  const names = new Set<string>();
  return written.flatMap(({ name, schedule, do: task, command }, index) => {
    const refuse = (field: readonly PathStep[], message: string): readonly MaintenanceEntry[] => {
      const path = [...PATH, index, ...field];
      problems.add(document.placeOf(path), path, message);
      return [];
    };
    if (names.has(name)) return refuse(['name'], `is the name of another entry ("${name}"); choose another`);
    names.add(name);
    if ((task === undefined) === (command === undefined))
      return refuse([], 'does one thing; write either do or command');
    const field = task === undefined ? 'command' : 'do';
    if (!hasAgent && task !== 'restart') {
      const message = 'runs through the guest agent, which this VM has not; switch the agent on or remove it';
      return refuse([field], message);
    }
    if (command !== undefined && DELETES.test(command[0] ?? '')) {
      const message = 'runs rm, which maintenance never does; use a program that knows what it may delete';
      return refuse([field, 0], message);
    }
    const work = task ?? (command === undefined ? undefined : { command });
    return work === undefined ? [] : [{ name, schedule, do: work }];
  });
}
