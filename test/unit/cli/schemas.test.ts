import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMAND_JSON, commandJsonSchemas } from '../../../src/cli/command-schemas.js';
import { describedProgram } from '../../../src/cli/program.js';
import { TokenStore } from '../../../src/daemon/access/token-store.js';
import type { ExecutionView, Plan } from '../../../src/lifecycle/index.js';
import type { NotifyApi } from '../../../src/notify/notify-views.js';
import { FakeLifecycle } from '../daemon/fake-lifecycle.js';
import { noNotifier } from '../daemon/fake-notifier.js';
import { vmView } from '../daemon/fake-runtime.js';
import { FakeStore } from '../daemon/fake-store.js';
import { serve } from '../daemon/helpers.js';
import { runCommandLine } from './in-process.js';

const program = await describedProgram();

/** Commands with --json, by their words. */
function withJson(command: Command, words: readonly string[] = []): string[] {
  if (command.commands.length > 0)
    return command.commands.flatMap((child) => withJson(child, [...words, child.name()]));
  return command.options.some(({ flags }) => flags === '--json') ? [words.join(' ')] : [];
}

const ajv = new Ajv2020({ strict: false });
const schemas = commandJsonSchemas();

const CHANNEL: ReturnType<NotifyApi['list']>[number] = {
  ...{ name: 'ops', kind: 'email', target: 'ops@example.org', level: 'warnings', vms: [] },
  ...{ origin: 'added', waiting: 0, trouble: null },
};

/** Carries every plan out at once. */
class Plans extends FakeLifecycle {
  override async submitPlan(plan: Plan, author: string): Promise<ExecutionView> {
    const view = await super.submitPlan(plan, author);
    const actions = plan.actions.map(({ operation_id, operation, vm_id }) => ({
      ...{ operationId: operation_id, operation, vmId: vm_id, status: 'SUCCEEDED' as const },
      ...{ startedAtMs: 1, endedAtMs: 2, text: 'done', error: null },
    }));
    return { ...view, actions };
  }
}

async function daemon() {
  const tokens = new TokenStore(new FakeStore());
  await tokens.create({ name: 'grafana', scope: 'read', forMs: null, author: 'ann@1000' });
  const notifier: NotifyApi = { ...noNotifier, list: () => [CHANNEL] };
  const served = await serve({ lifecycle: new Plans(), tokens, notifier });
  served.runtime.vms = [
    vmView('default/web-1'),
    vmView('default/web-2', { address: null }),
    vmView('lab/db'),
  ];
  served.runtime.hooks = { ...served.runtime.hooks, list: () => [], logs: async () => [] };
  return served;
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmpulse-schemas-'));
  mkdirSync(join(folder, 'vms.d'));
  const file = (name: string, text: string) => writeFileSync(join(folder, name), text);
  file('config.yaml', `stateDir: ${folder}/state\nrunDir: ${folder}/run\n`);
  file('azlin.yaml', 'health_monitoring: {enabled: true, level: standard}\n');
  file('image.raw', 'an image'.padEnd(512));
  const actions = [{ operation_id: 'o', operation: 'STOP', vm_id: 'default/web-1' }];
  file('plan.json', JSON.stringify({ idempotency_key: 'k', actions }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Command lines, with F for the folder of the test; what stands behind the words of the command is in brackets. */
const LINES = [
  ...['status', 'status [web-1]', 'status [--check-now]', 'status [--recovery-log]', 'explain [web-1]'],
  ...['reload', 'reload [--dry-run]', 'apply [-f F/config.yaml]', 'apply [--plan F/plan.json]'],
  ...['apply [--plan F/plan.json --dry-run]', 'gc', 'image pull [F/image.raw --state-dir F/state]'],
  'image pull [F/image.raw --state-dir F/state --dry-run]',
  ...['image list [--state-dir F/state]', 'image verify [--state-dir F/state]'],
  ...['recovery hold [--reason r]', 'recovery hold [--reason r --dry-run]', 'recovery resume'],
  ...['recovery history', 'recovery log', 'health status', 'health check [--vm web-1]'],
  ...['health check-all [--force]', 'health report', 'health history', 'health reset [web-1]'],
  ...['vm list', 'vm get [web-1]', 'vm create [new]', 'vm create [-f F/config.yaml --start]'],
  ...['vm start [web-1]', 'vm stop [web-1]', 'vm restart [web-1]', 'vm reset [web-1]', 'vm pause [web-1]'],
  ...[
    'vm resume [web-1]',
    'vm snapshot [web-1 --yes]',
    'vm delete [web-1 --yes]',
    'vm delete [web-1]',
    'vm recreate [web-1 --yes]',
  ],
  ...['vm release [web-1]', 'vm heartbeat-token [web-1]', 'vm exec [web-1 --command x]'],
  ...['vm exec-batch [--vm web-1 --command x]', 'vm stats [web-1]', 'vm resize [web-1 --memory +1GB]'],
  'vm update [web-1 --health-check-type tcp --health-check-port 80]',
  ...['vm maintenance begin [web-1 --reason r]', 'vm maintenance end [web-1]'],
  ...['maintenance start [web-1 --reason r]', 'maintenance stop [web-1]'],
  ...[
    'vm schedule [reboot web-1 --reason r]',
    'vm health-report',
    'node list',
    'intent list',
    'intent clear',
  ],
  ...['maintenance list', 'hooks list', 'hooks logs', 'notify list', 'autopilot enable [web-1]'],
  ...['autopilot disable [web-1]', 'autopilot config [web-1 --level standard]'],
  ...['autopilot config [web-1 --show]', 'autopilot status', 'policy show [web-1]', 'network check'],
  ...['network repair', 'security-group list', 'security-group add-rule [--port 80]'],
  ...['security-group remove-rule [--id r1]', 'security-group policy [drop]', 'journal list'],
  ...['token create [ci --scope read]', 'token list', 'token revoke [grafana]', 'probe [tcp 127.0.0.1:1]'],
  ...['config import [--from azlin F/azlin.yaml]', 'config show', 'config get [logLevel]'],
  ...['config set [logLevel debug]', 'config unset [logLevel]', 'config check [F/config.yaml]'],
  ...['discover', 'doctor', 'must-gather [-o F/all.tar.gz --config F/config.yaml]'],
  'simulate [--seeds 1 --vms 2 --hosts 1 --days 1 --verbose]',
];

/** Their answers are those of `list` and of `apply`; test/unit/daemon has them with hooks and channels that are there. */
const ELSEWHERE = [
  ...['hooks add', 'hooks add-global', 'hooks remove', 'hooks test', 'notify add', 'notify remove'],
  ...['notify test', 'vm adopt'],
];

const wordsOf = (line: string) => line.replace(/ ?\[.*/, '');

describe('what commands print with --json', () => {
  it('has a schema for every command, and no other', () => {
    expect(Object.keys(COMMAND_JSON).toSorted()).toEqual(withJson(program).toSorted());
  });

  it('is seen of every command', () => {
    expect([...new Set(LINES.map(wordsOf)), ...ELSEWHERE].toSorted()).toEqual(
      Object.keys(COMMAND_JSON).toSorted(),
    );
  });

  it.each(LINES)('fits its schema: %s', { timeout: 180_000 }, async (line) => {
    const { socket } = await daemon();
    const more = (/\[(.*)\]/.exec(line)?.[1] ?? '').replaceAll('F/', `${folder}/`).split(' ');
    const words = wordsOf(line);
    const args = [...words.split(' '), ...more.filter((word) => word !== ''), '--json', '--socket', socket];
    const { stdout, stderr } = await runCommandLine(args);
    expect(stdout, stderr).not.toBe('');
    const validate = ajv.compile(schemas.get(words) ?? false);
    expect(validate(JSON.parse(stdout)) || validate.errors, stdout.slice(0, 2_000)).toBe(true);
  });

  it('would not fit if a member were missing', () => {
    const validate = ajv.compile(schemas.get('vm list') ?? true);
    expect(validate({ vms: [{ id: 'default/web' }] })).toBe(false);
  });
});
