import { describe, expect, it, vi } from 'vitest';
import type { ExecutionView, Plan } from '../../../src/lifecycle/index.js';
import { FakeLifecycle } from '../daemon/fake-lifecycle.js';
import { serve } from '../daemon/helpers.js';
import { runCommandLine } from './in-process.js';
import { startCli } from './run-cli.js';

/** Keeps the plans, and carries each out at once. */
class Plans extends FakeLifecycle {
  readonly actions: unknown[] = [];

  override async submitPlan(plan: Plan, author: string): Promise<ExecutionView> {
    const view = await super.submitPlan(plan, author);
    const actions = plan.actions.map((action) => {
      this.actions.push(action);
      const { operation_id, operation, vm_id } = action;
      const times = { startedAtMs: 1, endedAtMs: 2 };
      const made = {
        operationId: operation_id,
        operation,
        vmId: vm_id,
        text: `${vm_id} was made`,
        error: null,
      };
      return { ...made, ...times, status: 'SUCCEEDED' as const };
    });
    return { ...view, actions };
  }
}

async function daemon() {
  const lifecycle = new Plans();
  const served = await serve({ lifecycle });
  const run = (...args: readonly string[]) => runCommandLine([...args, '--socket', served.socket]);
  return { ...served, lifecycle, run };
}

describe('vmpulse vm create', () => {
  it('makes of its options what a plan takes', async () => {
    const { run, lifecycle } = await daemon();
    const options = [
      ...[
        '--memory',
        '2GB',
        '--vcpus',
        '2',
        '--label',
        'tier=front',
        '--label',
        'x=',
        '--address',
        '192.0.2.9',
      ],
      ...['--disk', '/a.qcow2', '--disk', '/b.img,name=data,readonly', '--tap', 'tap0,bridge=br0,create'],
      ...[
        '--forward',
        '10080:80',
        '--kernel',
        '/vmlinuz',
        '--append',
        'quiet',
        '--run-strategy',
        'Always',
        '--start',
      ],
    ];
    expect(await run('vm', 'create', 'lab/new', ...options)).toEqual({
      status: 0,
      stdout: 'lab/new was made\n',
      stderr: '',
    });
    expect(lifecycle.actions).toEqual([
      {
        operation_id: 'create',
        operation: 'CREATE',
        vm_id: 'lab/new',
        vcpu_count: 2,
        memory_mib: 2048,
        labels: { tier: 'front', x: '' },
        run_strategy: 'Always',
        start: true,
        host: { address: '192.0.2.9' },
        hypervisor: {
          qemu: {
            disks: [
              { path: '/a.qcow2', format: 'qcow2' },
              { path: '/b.img', format: 'raw', readOnly: true, name: 'data' },
            ],
            interfaces: [
              { tap: { device: 'tap0', bridge: 'br0', create: true } },
              { user: { forwards: [{ hostPort: 10080, guestPort: 80 }] } },
            ],
            kernel: { image: '/vmlinuz', append: 'quiet' },
          },
        },
      },
    ]);
  });

  it('only says with --dry-run what it would make', async () => {
    const { run, lifecycle } = await daemon();
    expect(await run('vm', 'create', 'new', '--driver', 'firecracker', '--dry-run')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('nothing done (--dry-run)\n'),
    });
    expect(lifecycle.actions).toEqual([]);
  });

  it.each([
    [[]],
    [['a', '-f', 'b']],
    [['a', '--disk', '/x,readonyl']],
    [['a', '--disk', ',format=raw']],
    [['a', '--tap', 'tap0,bridge']],
    [['a', '--forward', '80']],
    [['a', '--label', 'odd']],
    [['a', '--vcpus', '0']],
    [['a', '--memory', 'much']],
    [['a', '--memory', '+2GB']],
    [['-f', '/nowhere', '--vcpus', '2']],
    [['-f', '/nowhere', '--run-strategy', 'Always']],
    [['a', '--append', 'quiet']],
    [['a', '--driver', 'xen']],
  ])('refuses %j', async (args) => {
    const { run } = await daemon();
    expect(await run('vm', 'create', ...args)).toMatchObject({
      ...{ status: 64, stdout: '' },
      stderr: expect.not.stringContaining('/nowhere'),
    });
  });
});

describe('vmpulse vm logs', () => {
  it('shows the end of a log, with nothing in it that steers a terminal', async () => {
    const { run, lifecycle } = await daemon();
    lifecycle.logs.push({ text: 'boot\r\n\u001b[31mred\u009b2J\tlogin: ', file: '1:2', next: 9 });
    expect(await run('vm', 'logs', 'web-1', '--vmm', '--lines', '5')).toEqual({
      status: 0,
      stdout: 'boot\n\\u001b[31mred\\u009b2J\tlogin: \n',
      stderr: '',
    });
    await run('vm', 'logs', 'web-1');
    await run('vm', 'logs', 'web-1', '--commands');
    expect(lifecycle.asked).toEqual([
      ['default/web-1', 'vmm', { lines: 5 }],
      ['default/web-1', 'console', { lines: 100 }],
      ['default/web-1', 'commands', { lines: 100 }],
    ]);
    expect(await run('vm', 'logs', 'web-1', '--lines', '-1')).toMatchObject({ status: 64 });
  });

  it('follows it until Ctrl-C', { timeout: 60_000 }, async () => {
    const { socket, lifecycle } = await daemon();
    lifecycle.logs.push({ text: 'one\n', file: '1:2', next: 4 }, { text: 'two\n', file: '1:2', next: 8 });
    const { child, output, ended } = startCli(['vm', 'logs', 'web-1', '--follow', '--socket', socket]);
    await vi.waitFor(() => expect(output.stdout).toBe('one\ntwo\n'), { timeout: 50_000, interval: 50 });
    expect(lifecycle.asked.slice(0, 2)).toEqual([
      ['default/web-1', 'console', { lines: 100 }],
      ['default/web-1', 'console', { file: '1:2', after: 4 }],
    ]);
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ status: 0, stderr: '' });
  });
});
