import type { HostAnswer } from '../../daemon/answers/status.js';
import { type Paint, paintState } from './paint.js';

/** The whole fleet in a few lines: how many are how, and which of them are not well and why. */
export function fleetText({ host, vms }: HostAnswer, paint: Paint): string {
  const head = paint.strong(`${vms.length === 1 ? '1 VM' : `${vms.length} VMs`} on ${host}`);
  const by = new Map<string, HostAnswer['vms']>();
  for (const vm of vms) by.set(vm.health, [...(by.get(vm.health) ?? []), vm]);
  const lines = [...by]
    .toSorted(([, one], [, other]) => other.length - one.length)
    .map(([health, some]) => {
      const share = Math.round((some.length * 100) / vms.length);
      const count = `  ${paintState(health, paint)}: ${some.length} (${share} %)\n`;
      if (health === 'healthy') return count;
      return count + some.map(({ id, note }) => `    ${id}${note === '' ? '' : `: ${note}`}\n`).join('');
    });
  return `${head}\n${lines.join('')}`;
}
