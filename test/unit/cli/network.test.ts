import { describe, expect, it } from 'vitest';
import { serve } from '../daemon/helpers.js';
import { runCommandLine } from './in-process.js';

async function daemon() {
  const served = await serve();
  const run = (...args: string[]) => runCommandLine([...args, '--socket', served.socket]);
  return { ...served, run };
}

const author = expect.stringMatching(/^ann@1000 \(says \S+@\d+\)$/);

describe('vmpulse network', () => {
  it('says that nothing is wrong, or what is, with its status', async () => {
    const { run, runtime } = await daemon();
    expect(await run('network', 'check')).toMatchObject({ status: 0, stdout: 'nothing is wrong\n' });
    runtime.network.problems = [
      { fault: 'tap-down', device: 'tap0', vm: 'default/web-1', text: 'tap0 is down', canRepair: true },
    ];
    const { status, stdout } = await run('network', 'check', 'web-1');
    expect({ status, lines: stdout.split('\n')[1] }).toEqual({
      status: 1,
      lines: 'tap-down  default/web-1  repair  tap0 is down',
    });
    const { stdout: asJson } = await run('network', 'check', '--json');
    expect(JSON.parse(asJson)).toMatchObject({ problems: [{ fault: 'tap-down' }] });
  });

  it('repairs, or says what it would do', async () => {
    const { run, runtime } = await daemon();
    expect((await run('network', 'repair', 'web-1', '--dry-run')).stdout).toContain('would tap0 set up\n');
    expect((await run('network', 'repair')).stdout).toBe('tap0 set up\nnothing is wrong\n');
    expect(runtime.calls).toEqual([
      ['network-repair', { vm: 'default/web-1', dryRun: true, author }],
      ['network-repair', { vm: null, dryRun: false, author }],
    ]);
  });
});

describe('vmpulse security-group', () => {
  it('lists groups, and what holds for a VM', async () => {
    const { run } = await daemon();
    const { stdout } = await run('security-group', 'list', '--vm', 'web-1');
    expect(stdout).toMatch(/^GROUP .*\ndefault +r1 +tcp +8080 +10\.0\.0\.0\/8 +Health checks\n/);
    expect(stdout).toContain(
      'policy of default: accept\nwhat no rule lets through to default/web-1: accept\n',
    );
  });

  it('gives the daemon rules as they are typed', async () => {
    const { run, runtime } = await daemon();
    const rule = ['--source-cidr', '10.0.0.0/8', '--port', '8080', '--protocol', 'tcp'];
    await run('security-group', 'add-rule', 'default', ...rule, '--comment', 'Health checks');
    await run('security-group', 'add-rule', '--vm', 'web-1', '--port', '8000-8010');
    await run('security-group', 'remove-rule', '--vm', 'web-1', '--id', 'r1');
    await run('security-group', 'policy', 'drop');
    await run('security-group', 'policy', 'inherit', '--vm', 'web-1');
    const asked = { sourceCidr: '10.0.0.0/8', port: 8080, protocol: 'tcp', comment: 'Health checks' };
    expect(runtime.calls).toEqual([
      ['add-rule', { vm: null, rule: asked, author }],
      ['add-rule', { vm: 'default/web-1', rule: { port: 8000, toPort: 8010 }, author }],
      ['remove-rule', { vm: 'default/web-1', id: 'r1', author }],
      ['policy', { vm: null, policy: 'drop', author }],
      ['policy', { vm: 'default/web-1', policy: null, author }],
    ]);
  });

  it.each([
    [
      ['add-rule', 'web', '--port', '1'],
      64,
      "'web' is invalid for argument 'group'. It is no group; write default, or --vm",
    ],
    [['add-rule', 'default', '--vm', 'web-1'], 64, 'name two groups; keep one of them'],
    [['add-rule', '--port', 'http'], 64, "'http' is invalid. It is no port"],
    [['add-rule', '--port', '70000'], 1, 'must be a port from 1 to 65535'],
    [['add-rule', '--protocol', 'sctp'], 1, 'rule.protocol'],
    [['add-rule', '--source-cidr', '10.0.0.0/33'], 1, 'must be an address or a network'],
    [['policy', 'reject'], 64, "'reject' is invalid for argument 'policy'"],
    [['list', '--vm', 'nobody'], 1, 'no VM named nobody'],
  ])('refuses %j', async (args, status, message) => {
    const { run, runtime } = await daemon();
    const refused = await run('security-group', ...args);
    expect(refused).toMatchObject({ status });
    expect(refused.stderr).toContain(message);
    expect(runtime.calls).toEqual([]);
  });
});
