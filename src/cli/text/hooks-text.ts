import type { HookLogAnswer, HooksAnswer, HookTestAnswer } from '../../daemon/answers/hooks.js';
import { HOOK_EVENTS } from '../../model/hook.js';
import { plainText } from '../../model/plain-text.js';
import { moment } from './time.js';

/** The hooks of a VM, or all, by event and in their order. */
export function hooksText({ hooks }: HooksAnswer, vm: string | undefined): string {
  const whose = vm === undefined ? '' : ` for '${plainText(vm)}'`;
  if (hooks.length === 0) return `no hooks${whose}\n`;
  const parts = HOOK_EVENTS.flatMap((event) => {
    const of = hooks.filter((hook) => hook.event === event);
    if (of.length === 0) return [];
    return [`\n${event}:\n${of.map((hook) => `  - ${hookLine(hook, vm === undefined)}\n`).join('')}`];
  });
  return `Hooks${whose}:\n${parts.join('')}`;
}

function hookLine({ program, vm, id, user, origin }: HooksAnswer['hooks'][number], namesVm: boolean): string {
  const notes = [
    ...(vm === null ? ['global'] : namesVm ? [vm] : []),
    ...(user === null ? [] : [`as ${user}`]),
    id === null ? origin : id,
  ];
  return `${program} (${notes.join(', ')})`;
}

export function hookTestText({ runs }: HookTestAnswer): string {
  return runs
    .map(
      ({ program, result, text, tookMs, stdout, stderr }) =>
        `${program}: ${result}, ${text}, ${seconds(tookMs)}\n${output(stdout, stderr)}`,
    )
    .join('');
}

export function hookLogText({ runs }: HookLogAnswer): string {
  if (runs.length === 0) return 'no hook was run\n';
  return runs
    .map(
      ({ atMs, vm, event, reason, program, result, text, tookMs, stdout, stderr }) =>
        `${moment(atMs)} ${vm} ${event} (${reason}): ${program}: ${result}, ${text}, ${seconds(tookMs)}\n${output(stdout, stderr)}`,
    )
    .join('');
}

/** What it wrote, line by line and indented; control characters were escaped one by one. */
function output(stdout: string, stderr: string): string {
  return [stdout, stderr]
    .flatMap((text) => text.split('\n'))
    .filter((line) => line.trim() !== '')
    .map((line) => `    ${plainText(line, 1000)}\n`)
    .join('');
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
