import type { Command } from 'commander';
import type { z } from 'zod';
import { formatDuration } from '../../config/duration.js';
import { type ChecksAnswer, checksAnswer } from '../../daemon/answers/checks.js';
import { vmAnswer } from '../../daemon/answers/status.js';
import { plainText } from '../../model/plain-text.js';
import { type Cli, paintOf, vmPath, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { asCame, type FormatOptions, formatOption, jsonOption, show } from '../format.js';
import { vmText } from '../text/status-text.js';
import { table } from '../text/table.js';
import { labelsText, listed } from './vm-list.js';

/** `vmpulse vm get`. */
export function addGet(vm: Command, cli: Cli): void {
  vm.command('get')
    .description('Shows one VM: how it is, and how its probes are set.')
    .argument('<vm>', 'name, namespace/name or UUID')
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        ['vmpulse vm get web-1', 'for people'],
        ["vmpulse vm get web-1 --format json | jq '.health_check'", 'how its probes are set'],
      ),
    )
    .action((name: string, options: FormatOptions, command) =>
      withDaemon(command, cli, async (client) => {
        const found = await client.get(vmPath('/v1/status', name), asCame(vmAnswer));
        const path = `${vmPath('/v1/vms', found.shown.id)}/probes`;
        const checks = await client.get(path, asCame(checksAnswer));
        const { probes } = checks.shown;
        const data = { ...listed(found), health_check: healthCheck(found.data.health, checks.data.probes) };
        await show(cli, options, { data, shown: found.shown }, (one) => {
          const labels = plainText(labelsText(one.labels), 1_000);
          return `${vmText(one, Date.now(), paintOf(cli))}\n${labels === '' ? '' : `labels: ${labels}\n\n`}${setText(probes)}`;
        });
      }),
    );
}

type Probes = ChecksAnswer['probes'];

function healthCheck(status: string, probes: z.input<typeof checksAnswer>['probes']): object {
  const checks = probes.map(({ name, role, kind, enabled, target, timing, critical, state, reason }) => {
    const { host, port, path } = target;
    const { periodMs, timeoutMs, initialDelayMs, successThreshold, failureThreshold } = timing;
    const set = { name, role, type: kind, enabled, critical, host, port, path };
    const times = { intervalMs: periodMs, timeoutMs, initialDelayMs, successThreshold, failureThreshold };
    return { ...set, ...times, state, reason };
  });
  return { enabled: probes.some(({ enabled }) => enabled), status, checks };
}

function setText(probes: Probes): string {
  if (probes.length === 0) return '';
  const rows = probes.map(({ name, kind, enabled, target, timing }) => [
    name,
    kind,
    enabled ? 'on' : 'off',
    targetText(target),
    formatDuration(timing.periodMs),
    formatDuration(timing.timeoutMs),
    `${timing.successThreshold}/${timing.failureThreshold}`,
  ]);
  return table(['PROBE', 'KIND', 'SWITCH', 'TARGET', 'EVERY', 'TIMEOUT', 'OK/FAILED AFTER'], rows);
}

function targetText({ host, port, path }: Probes[number]['target']): string {
  return `${host ?? ''}${port === null ? '' : `:${port}`}${path ?? ''}` || '-';
}
