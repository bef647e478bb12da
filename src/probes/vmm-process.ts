import { z } from 'zod';
import type { ProbeCheck } from '../model/probe.js';
import { absolutePathProblem } from './fields.js';
import { defineKind, missingContext } from './probe-kind.js';
import { targetError } from './target-text.js';

type VmmProcessCheck = Extract<ProbeCheck, { kind: 'vmmProcess' }>;

const TARGET = 'a PID or the absolute path of a PID file';
/** Largest PID that Linux hands out (PID_MAX_LIMIT). */
const MAX_PID = 4_194_304;

function parseProcess(text: string, name: string): { readonly pid: number } | { readonly pidFile: string } {
  if (/^[0-9]+$/.test(text)) {
    const pid = Number(text);
    if (pid < 1 || pid > MAX_PID) throw targetError(name, text, 'is not a PID of Linux', TARGET);
    return { pid };
  }
  if (absolutePathProblem(text) !== undefined) throw targetError(name, text, 'is neither', TARGET);
  return { pidFile: text };
}

/** Watches the hypervisor's process: gone, zombie or stopped is a failure. */
export const vmmProcess = defineKind<VmmProcessCheck>({
  kind: 'vmmProcess',
  aliases: ['process'],
  summary: 'watches the process of the hypervisor',
  targetHelp: TARGET,
  schema: z.strictObject({}).transform((): VmmProcessCheck => ({ kind: 'vmmProcess' })),
  parseTarget: (text, name) => ({ check: { kind: 'vmmProcess' }, process: parseProcess(text, name) }),
  lookups: () => ({ process: true }),
  lower: (_check, { process }) => {
    if (process === undefined) throw missingContext('vmmProcess', "the VMM's process");
    return { kind: 'vmmProcess', ...process };
  },
  label: () => 'process of the VMM',
});
