import type { GroupsAnswer, NetworkAnswer } from '../../daemon/answers/network.js';
import { table } from './table.js';

/** What is wrong, a line a problem. */
export function problemsText(problems: NetworkAnswer['problems']): string {
  if (problems.length === 0) return 'nothing is wrong\n';
  const rows = problems.map(({ fault, vm, text, canRepair }) => [
    fault,
    vm ?? '-',
    canRepair ? 'repair' : 'by hand',
    text,
  ]);
  return table(['FAULT', 'VM', 'REMEDY', 'WHAT'], rows);
}

/** Security groups with their rules. */
export function groupsText({ groups, effective }: GroupsAnswer): string {
  const rows = groups.flatMap(({ name, rules }) =>
    rules.map((rule) => {
      const { id, protocol, port, toPort, sourceCidr, comment } = rule;
      const ports = port === null ? 'any' : toPort === null ? `${port}` : `${port}-${toPort}`;
      return [name, id, protocol, ports, sourceCidr ?? 'anywhere', comment];
    }),
  );
  const policies = groups.map(({ name, policy }) => {
    const usual = name === 'default' ? 'accept' : 'as default';
    return `policy of ${name}: ${policy ?? usual}\n`;
  });
  const holds =
    effective === null ? '' : `what no rule lets through to ${effective.vm}: ${effective.policy}\n`;
  const list = rows.length === 0 ? '' : table(['GROUP', 'ID', 'PROTOCOL', 'PORT', 'SOURCE', 'COMMENT'], rows);
  return `${list}${policies.join('')}${holds}`;
}
