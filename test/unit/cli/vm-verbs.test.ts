import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { nodeListJson, vmGetJson, vmListJson } from '../../../src/cli/json-schemas.js';
import type { ActionPreview, ExecutionView, Plan } from '../../../src/lifecycle/index.js';
import { FakeLifecycle } from '../daemon/fake-lifecycle.js';
import { vmView } from '../daemon/fake-runtime.js';
import { serve } from '../daemon/helpers.js';
import { runCommandLine } from './in-process.js';

/** Carries every plan out at once; what is about lab/db fails. */
class Plans extends FakeLifecycle {
  readonly plans_: unknown[] = [];

  override async submitPlan(plan: Plan, author: string): Promise<ExecutionView> {
    const view = await super.submitPlan(plan, author);
    this.plans_.push(...plan.actions);
    const actions = plan.actions.map(({ operation_id, operation, vm_id }) => {
      const fails = vm_id === 'lab/db';
      const error = fails ? { code: 'ERR_VMPULSE_VM_NOT_RUNNING', message: 'it is off\u001b[31m' } : null;
      const status = fails ? ('FAILED' as const) : ('SUCCEEDED' as const);
      const times = { startedAtMs: 1, endedAtMs: 2 };
      return { operationId: operation_id, operation, vmId: vm_id, status, ...times, text: 'done', error };
    });
    const status = actions.some((one) => one.status === 'FAILED') ? 'FAILED' : 'SUCCEEDED';
    return { ...view, reason: plan.reason ?? '', status, actions };
  }

  override async previewPlan({ actions }: Plan): Promise<readonly ActionPreview[]> {
    return actions.map(({ operation_id, operation, vm_id }) => ({
      operationId: operation_id,
      would: vm_id === 'lab/db' ? 'refused: it is kept by hand' : `${operation} ${vm_id}`,
    }));
  }
}

async function daemon() {
  const lifecycle = new Plans();
  const served = await serve({ lifecycle });
  served.runtime.vms = [
    vmView('default/web-1', { labels: { tier: 'front', app: 'web' } }),
    vmView('default/web-2', { health: 'unhealthy', labels: { tier: 'front' }, address: null }),
    vmView('lab/db', { health: 'unhealthy', labels: {} }),
  ];
  const run = (...args: readonly string[]) => runCommandLine([...args, '--socket', served.socket]);
  const ids = async (...args: readonly string[]) => {
    const { stdout } = await run('vm', 'list', ...args, '--json');
    return vmListJson.parse(JSON.parse(stdout)).vms.map(({ id }) => id);
  };
  return { ...served, lifecycle, run, ids };
}

describe('choosing VMs', () => {
  it('takes names, globs, labels and healths, alone and together', async () => {
    const { ids } = await daemon();
    expect(await ids()).toEqual(['default/web-1', 'default/web-2', 'lab/db']);
    expect(await ids('db', 'default/web-1')).toEqual(['default/web-1', 'lab/db']);
    expect(await ids('web-*')).toEqual(['default/web-1', 'default/web-2']);
    expect(await ids('*/web-?')).toEqual(['default/web-1', 'default/web-2']);
    expect(await ids('lab/*')).toEqual(['lab/db']);
    expect(await ids('--tag', 'app')).toEqual(['default/web-1']);
    expect(await ids('--tag', 'tier=front', '--tag', 'app=web')).toEqual(['default/web-1']);
    expect(await ids('--tag', 'tier=back')).toEqual([]);
    expect(await ids('--tag', 'constructor')).toEqual([]);
    expect(await ids('--health-status', 'unhealthy', '--health-status', 'paused')).toHaveLength(2);
    expect(await ids('web-*', '--health-status', 'unhealthy', '--tag', 'tier')).toEqual(['default/web-2']);
    expect(await ids('no*such')).toEqual([]);
  });

  it('refuses a name that no VM has, and what is no label or health', async () => {
    const { run } = await daemon();
    expect(await run('vm', 'list', 'nobody')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('ERR_VMPULSE_VM_UNKNOWN'),
    });
    for (const args of [['--tag', '=x'], ['--health-status', 'odd'], ['a/b/c']])
      expect(await run('vm', 'list', ...args)).toMatchObject({ status: 64, stdout: '' });
  });

  it('wants something to choose by where something is changed', async () => {
    const { run, lifecycle } = await daemon();
    expect(await run('vm', 'stop')).toMatchObject({
      status: 64,
      stderr: expect.stringContaining("'*' for all"),
    });
    expect(await run('vm', 'stop', 'x*')).toMatchObject({ status: 0, stderr: 'vmpulse: no VM is chosen\n' });
    expect(lifecycle.plans_).toEqual([]);
  });
});

describe('what is printed', () => {
  it('has the members that pipelines take', async () => {
    const { run } = await daemon();
    const list = vmListJson.parse(JSON.parse((await run('vm', 'list', '--format', 'json')).stdout));
    expect(list.vms.map(({ name, ip }) => [name, ip])).toEqual([
      ['web-1', '192.0.2.7'],
      ['web-2', null],
      ['db', '192.0.2.7'],
    ]);
    const one = vmGetJson.parse(JSON.parse((await run('vm', 'get', 'db', '--format', 'json')).stdout));
    expect(one).toMatchObject({ name: 'db', namespace: 'lab', health_check: { enabled: true } });
    expect(one.health_check.checks).toMatchObject([
      { name: 'readiness', type: 'httpGet', port: 8080, path: '/health', intervalMs: 10_000 },
    ]);
    const { nodes } = nodeListJson.parse(JSON.parse((await run('node', 'list', '--format', 'json')).stdout));
    expect(nodes).toMatchObject([
      { name: 'host-1', address: expect.any(String), vms: 3, health: { healthy: 1, unhealthy: 2 } },
    ]);
  });

  it('is the same as YAML', async () => {
    const { run, runtime } = await daemon();
    runtime.vms = [vmView('default/web-1', { note: 'a\u001b[31m\u202e\nb: "c"', labels: { k: 'null' } })];
    const json = JSON.parse((await run('vm', 'list', '--json')).stdout);
    const { stdout } = await run('vm', 'list', '--format', 'yaml');
    expect(parse(stdout)).toEqual(json);
    expect(json.vms[0].note).toBe('a\u001b[31m\u202e\nb: "c"');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
    expect(stdout.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  });

  it('is a table for people', async () => {
    const { run } = await daemon();
    expect((await run('vm', 'list')).stdout).toMatch(
      /^VM +HEALTH +STATE +READY +ADDRESS +VMM +LABELS\ndefault\/web-1 +healthy +RUNNING +yes +192\.0\.2\.7 +4242 +tier=front app=web\n/,
    );
    const { stdout } = await run('vm', 'get', 'web-1');
    expect(stdout).toContain('labels: tier=front app=web\n');
    expect(stdout).toMatch(/\nreadiness +httpGet +on +192\.0\.2\.7:8080\/health +10s +1s +1\/3\n/);
    expect((await run('node', 'list')).stdout).toMatch(
      /\nhost-1 +\S+ +1\.2\.3 +\S+ +3 +1 healthy, 2 unhealthy/,
    );
  });
});

describe('verbs over VMs', () => {
  it.each([
    ['start', 'START'],
    ['stop', 'STOP'],
    ['restart', 'RESTART'],
    ['reset', 'RESET'],
    ['pause', 'PAUSE'],
    ['resume', 'RESUME'],
  ])('%s is a plan of %s', async (verb, operation) => {
    const { run, lifecycle } = await daemon();
    expect(await run('vm', verb, 'web-1', '--timeout', '90s')).toEqual({
      status: 0,
      stdout: 'default/web-1: done\n',
      stderr: '',
    });
    expect(lifecycle.plans_).toMatchObject([{ operation, vm_id: 'default/web-1', timeout_seconds: 90 }]);
  });

  it('stop, restart, delete and recreate take --force, the last two --delete-disks', async () => {
    const { run, lifecycle } = await daemon();
    await run('vm', 'stop', 'web-1', '--force');
    await run('vm', 'restart', 'web-1');
    await run('vm', 'delete', 'web-1', '--yes', '--delete-disks');
    await run('vm', 'recreate', 'web-1', '--yes', '--force');
    expect(lifecycle.plans_).toMatchObject([
      { operation: 'STOP', force: true },
      { operation: 'RESTART', force: false },
      { operation: 'DELETE', force: false, delete_disks: true },
      { operation: 'RECREATE', force: true, delete_disks: false },
    ]);
  });

  it('want --yes where something open meets several, and list them else', async () => {
    const { run, lifecycle } = await daemon();
    for (const args of [
      ['stop', 'web-*'],
      ['reset', '--tag', 'tier'],
      ['pause', '--health-status', 'healthy', '--health-status', 'unhealthy', '--tag', 'tier=front'],
    ]) {
      const verb = args[0] ?? '';
      expect(await run('vm', ...args)).toEqual({
        status: 3,
        stdout: `would ${verb} default/web-1\nwould ${verb} default/web-2\n`,
        stderr: `vmpulse: nothing was done: that would meet 2 VMs; add --yes if that is meant [ERR_VMPULSE_UNCONFIRMED]\n`,
      });
    }
    expect(await run('vm', 'delete', 'web-1')).toMatchObject({ status: 3 });
    expect(lifecycle.plans_).toEqual([]);
    expect(await run('vm', 'stop', 'web-*', '--yes')).toMatchObject({ status: 0 });
    expect(await run('vm', 'stop', 'web-1', 'web-2')).toMatchObject({ status: 0 });
    expect(await run('vm', 'stop', '*-1')).toMatchObject({ status: 0 });
    expect(await run('vm', 'start', 'web-*')).toMatchObject({ status: 0 });
    expect(lifecycle.plans_).toHaveLength(7);
  });

  it('tell what fails and go on with the others', async () => {
    const { run } = await daemon();
    const { status, stdout, stderr } = await run('vm', 'start', '*');
    expect({ status, stdout: stdout.split('\n').toSorted() }).toEqual({
      status: 1,
      stdout: ['', 'default/web-1: done', 'default/web-2: done'],
    });
    expect(stderr).toBe('vmpulse: lab/db: it is off\\u001b[31m [ERR_VMPULSE_VM_NOT_RUNNING]\n');
    const told = await run('vm', 'start', '*', '--json');
    expect(JSON.parse(told.stdout)).toMatchObject({
      results: [
        { vm: 'default/web-1', status: 'SUCCEEDED', text: 'default/web-1: done' },
        { vm: 'default/web-2' },
        { vm: 'lab/db', error: { code: 'ERR_VMPULSE_VM_NOT_RUNNING' } },
      ],
    });
    expect(await run('vm', 'start', 'db')).toMatchObject({ status: 1, stdout: '' });
  });

  it('only tell with --dry-run, and what would be refused', async () => {
    const { run, lifecycle } = await daemon();
    expect(await run('vm', 'delete', '*', '--dry-run')).toEqual({
      status: 1,
      stdout: 'would delete default/web-1\nwould delete default/web-2\nnothing done (--dry-run)\n',
      stderr: 'vmpulse: lab/db: it is kept by hand [ERR_VMPULSE_ARGUMENT]\n',
    });
    expect(lifecycle.plans_).toEqual([]);
  });

  it('ask only for what would not be refused', async () => {
    const { run, lifecycle } = await daemon();
    const refused = 'vmpulse: lab/db: it is kept by hand [ERR_VMPULSE_ARGUMENT]\n';
    expect(await run('vm', 'delete', 'db')).toEqual({ status: 1, stdout: '', stderr: refused });
    const { status, stdout, stderr } = await run('vm', 'delete', 'db', 'web-1');
    expect({ status, stdout }).toEqual({ status: 3, stdout: 'would delete default/web-1\n' });
    expect(stderr).toContain(refused);
    expect(lifecycle.plans_).toEqual([]);
  });

  it('snapshot names it, or by the time', async () => {
    const { run, lifecycle } = await daemon();
    await run('vm', 'snapshot', 'web-1', '--name', 'before');
    await run('vm', 'snapshot', 'web-1');
    expect(lifecycle.plans_).toMatchObject([
      { operation: 'SNAPSHOT', vm_id: 'default/web-1', snapshot_name: 'before' },
      { operation: 'SNAPSHOT', snapshot_name: expect.stringMatching(/^snapshot-\d{8}-\d{6}$/) },
    ]);
  });
});

describe('--dry-run', () => {
  it.each([
    [['recovery', 'hold', '--reason', 'r'], 'hold recovery of all VMs'],
    [['recovery', 'hold', '--reason', 'r', '--vm', 'db'], 'hold recovery of lab/db'],
    [['recovery', 'resume'], 'resume recovery of all VMs'],
    [['intent', 'clear', '--vm', 'db'], 'clear the intents of lab/db'],
    [['vm', 'release', 'db'], 'release lab/db'],
    [['vm', 'heartbeat-token', 'db'], 'make a new heartbeat token for lab/db'],
    [['vm', 'maintenance', 'begin', 'db', '--reason', 'r'], 'begin maintenance of lab/db'],
    [['vm', 'maintenance', 'end', 'db'], 'end maintenance of lab/db'],
    [['maintenance', 'start', 'db', '--reason', 'r'], 'begin maintenance of lab/db'],
    [['maintenance', 'stop', 'db'], 'end maintenance of lab/db'],
    [['vm', 'schedule', 'reboot', 'db', '--reason', 'r'], 'schedule reboot of lab/db'],
    [['vm', 'resize', 'db', '--memory', '+1GB'], 'resize lab/db by 1024 MiB'],
    [['vm', 'exec', 'db', '--command', 'id'], 'run /bin/sh -c id in lab/db'],
    [['security-group', 'add-rule', '--port', '80', '--vm', 'db'], 'add a rule to group lab/db'],
    [['security-group', 'remove-rule', '--id', 'r1'], 'remove a rule from group default'],
    [['security-group', 'policy', 'drop'], 'set the policy of group default'],
    [['hooks', 'add', 'db', 'pre-start', '/bin/true'], 'add the pre-start hook to db'],
    [['hooks', 'add-global', 'on-failure', '/bin/true'], 'add the on-failure hook to every VM'],
    [['hooks', 'remove', 'h1'], 'remove the hook h1'],
    [['notify', 'add', 'ops', '--email', 'ops@example.com'], 'add the channel ops'],
    [['notify', 'remove', 'ops'], 'remove the channel ops'],
    [['token', 'create', 'ci', '--scope', 'read'], 'make the token ci with the scope read'],
    [['token', 'revoke', 'ci'], 'take back the token ci'],
  ])('of %j does nothing', async (args, what) => {
    const { run, runtime } = await daemon();
    expect(await run(...args, '--dry-run')).toEqual({
      status: 0,
      stdout: `would ${what}\nnothing done (--dry-run)\n`,
      stderr: '',
    });
    expect(runtime.calls).toEqual([]);
    const would = { dryRun: true, needsYes: false, would: [what] };
    expect(JSON.parse((await run(...args, '--dry-run', '--json')).stdout)).toEqual(would);
    expect(parse((await run(...args, '--dry-run', '--format', 'yaml')).stdout)).toEqual(would);
    expect(runtime.calls).toEqual([]);
  });
});

describe('status 3', () => {
  it.each([
    [['vm', 'stop', 'web-*'], 'stop'],
    [['vm', 'exec-batch', '--vm', 'web-*', '--command', 'id'], 'run /bin/sh -c id in'],
    [['vm', 'schedule', 'reboot', 'web-*', '--reason', 'r'], 'schedule reboot of'],
    [['vm', 'update', 'web-*', '--health-check-timeout', '5s'], 'update'],
    [['autopilot', 'enable', 'web-*'], 'enable'],
    [['health', 'reset', 'web-*'], 'reset the probes of'],
  ])('of %j says what would be done, to programs as well', async (args, verb) => {
    const { run } = await daemon();
    const told = await run(...args, '--json');
    expect(told).toMatchObject({ status: 3, stderr: expect.stringContaining('ERR_VMPULSE_UNCONFIRMED') });
    expect(JSON.parse(told.stdout)).toEqual({
      dryRun: false,
      needsYes: true,
      would: [`${verb} default/web-1`, `${verb} default/web-2`],
    });
  });
});

describe('no VM that is chosen', () => {
  const none = ['--tag', 'no=such'];
  it.each([
    [['vm', 'list', ...none], { vms: [] }],
    [['vm', 'stop', ...none], { results: [] }],
    [['vm', 'delete', ...none], { results: [] }],
    [['vm', 'maintenance', 'end', ...none], { results: [] }],
    [['vm', 'exec-batch', ...none, '--command', 'id'], undefined],
    [['vm', 'update', ...none, '--health-check-timeout', '5s'], { set: [], vms: [] }],
    [['autopilot', 'enable', ...none], { set: [], vms: [] }],
    [['autopilot', 'config', ...none, '--show'], { vms: [] }],
    [['health', 'check-all', ...none], { vms: [] }],
    [['health', 'reset', ...none], { results: [] }],
    [['status', ...none], { vms: [] }],
    [['status', '--check-now', ...none], { vms: [] }],
    [['status', '--recovery-log', ...none], { recoveries: [] }],
  ])('is told in one way by %j', async (args, data) => {
    const { run } = await daemon();
    const told = await run(...args);
    expect(told).toMatchObject({ status: 0, stderr: 'vmpulse: no VM is chosen\n' });
    const asJson = await run(...args, '--json');
    expect(asJson).toMatchObject({ status: 0, stderr: 'vmpulse: no VM is chosen\n' });
    if (data === undefined) expect(asJson.stdout).toBe('');
    else expect(JSON.parse(asJson.stdout)).toMatchObject(data);
  });
});
