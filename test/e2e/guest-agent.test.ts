import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { labKernelLine } from '../../lab/vm.mjs';
import { writeInitrdWithAgent } from '../../lab/with-agent.mjs';
import { guestAgentBuilt, labAvailable, needsGuestAgent } from '../lab/availability.js';
import { poll } from '../lab/poll.js';
import { configureVm, DaemonUnderTest, MINUTE } from './world.js';

/** What the guest lets the host do; the QEMU guest agent beside it lets it do everything. */
const AGENT = `
[exec]
enabled = true
allow = [["/bin/rm", "-f", "/data/filler"], ["/bin/test", "**"], ["/bin/sh", "-s", "**"]]
`;

const STATS = z.object({
  source: z.string(),
  cpu_usage: z.number().nullable(),
  memory_usage: z.number(),
  disks: z.array(z.object({ mount: z.string(), usedBytes: z.number() })),
});

describe('a guest with an agent, under the daemon', { timeout: 4 * MINUTE }, () => {
  let test: DaemonUnderTest;

  beforeAll(async () => {
    if (!labAvailable().ok || !guestAgentBuilt()) return;
    test = await DaemonUnderTest.create(['a'], {
      prepare: (world) => {
        const initrd = join(world.dir, 'a.initrd');
        writeInitrdWithAgent(initrd, AGENT);
        configureVm(world, 'a', {
          'hypervisor.qemu.kernel.initrd': initrd,
          'hypervisor.qemu.vmpulseAgent': true,
          // Two agents, a shell and cat beside the guest's own files: 128 MiB have been too little.
          'hypervisor.qemu.memory': '256Mi',
          'hypervisor.qemu.maxMemory': '512Mi',
          'hypervisor.qemu.kernel.append': `${labKernelLine()} memhp_default_state=online`,
          'recovery.cleanup': ['rm', '-f', '/data/filler'],
          probes: [
            {
              name: 'resources',
              role: 'liveness',
              periodMs: 1000,
              timeoutMs: 900,
              failureThreshold: 2,
              resource: { checks: ['disk'], mounts: ['/data'] },
            },
            {
              name: 'flag',
              periodMs: 1000,
              timeoutMs: 900,
              failureThreshold: 2,
              exec: { command: ['/bin/test', '!', '-e', '/run/ill'] },
            },
          ],
        });
      },
    });
    await test.allHealthy();
  }, 4 * MINUTE);

  afterAll(async () => {
    await test?.dispose();
  }, MINUTE);

  beforeEach((context) => {
    needsGuestAgent(context);
  });

  const exec = (...argv: string[]) => test.cli('vm', 'exec', 'a', '--', ...argv);
  const probe = async (name: string) => (await test.vm('a')).probes.find((each) => each.name === name)?.state;

  it('has its figures read', async () => {
    const { status, output } = test.cli('vm', 'stats', 'a', '--json');
    expect({ status, output }).toMatchObject({ status: 0 });
    const stats = STATS.parse(JSON.parse(output));
    expect(stats.source).toBe('vmpulse-agent');
    expect(stats.memory_usage).toBeGreaterThan(5);
    expect(stats.disks.map(({ mount }) => mount)).toContain('/data');
  });

  it('runs commands and scripts, on record with who ran them', async () => {
    // Not on the list of vmpulse's agent: QEMU's runs it.
    expect(exec('/bin/echo', 'from the guest')).toEqual({ status: 0, output: 'from the guest\n' });
    const script = join(test.world.dir, 'script');
    writeFileSync(script, 'echo "$1 of $(cat /proc/sys/kernel/ostype)"; exit 3\n');
    const ran = test.cli('vm', 'exec', 'a', '--script', script, '--', 'kernel');
    expect(ran).toEqual({
      status: 1,
      output: 'kernel of Linux\nvmpulse: the command ended with status 3\n',
    });
    const batch = test.cli('vm', 'exec-batch', '--vm', 'a*', '--yes', '--', '/bin/uname', '-m');
    expect(batch.output).toMatch(/demo\/a +0 +x86_64/);
    const { output } = test.cli('journal', 'export', '--last', '10m');
    expect(output).toMatch(/runs in the guest of demo\/a: \/bin\/echo from the guest/);
  });

  it('is probed by a command that really runs in it', async () => {
    await poll('the probe is ok', MINUTE, async () => (await probe('flag')) === 'ok' || undefined);
    expect(exec('/bin/touch', '/run/ill').status).toBe(0);
    await poll('the probe fails', MINUTE, async () => (await probe('flag')) === 'failed' || undefined);
    expect(exec('/bin/rm', '/run/ill').status).toBe(0);
    await poll('the probe is ok again', MINUTE, async () => (await probe('flag')) === 'ok' || undefined);
  });

  it('whose disk fills up is cleaned up, and well again', async () => {
    const bootId = await test.bootId('a');
    const filled = exec('/bin/dd', 'if=/dev/zero', 'of=/data/filler', 'bs=1k', 'count=4000');
    expect(filled.status, filled.output).toBe(0);
    const { episode } = await test.explainedOnce(
      'healed',
      'a',
      ({ episode: it, health }) => health === 'healthy' && it?.diagnosis.kind === 'resource',
      2 * MINUTE,
    );
    expect(episode).toMatchObject({ diagnosis: { kind: 'resource', cause: 'over-threshold' } });
    expect(episode?.attempts.map(({ step, result }) => [step, result?.result])).toEqual([
      ['cleanup', 'done'],
    ]);
    expect(exec('/bin/test', '-e', '/data/filler').status).toBe(1);
    expect(await test.bootId('a')).toBe(bootId);
  });

  it('takes more memory while it runs, up to what it has room for', async () => {
    const memory = () => {
      const { stdout } = { stdout: exec('/bin/cat', '/proc/meminfo').output };
      return Number(/^MemTotal: +(\d+) kB$/m.exec(stdout)?.[1]);
    };
    const before = memory();
    expect(test.cli('vm', 'resize', 'a', '--memory', '+128MB')).toEqual({
      status: 0,
      output: 'demo/a has 384 MiB\n',
    });
    await poll('the guest has it', MINUTE, () => (memory() > before + 100 * 1024 ? true : undefined));
    for (const [amount, why] of [
      ['+1GB', 'at most 512 MiB'],
      ['+100MB', 'blocks of 128 MiB'],
      ['128MB', 'cannot be made smaller'],
    ] as const) {
      const { status, output } = test.cli('vm', 'resize', 'a', '--memory', amount);
      expect(status).toBe(1);
      expect(output).toContain(why);
      expect(output).toContain('ERR_VMPULSE_UNSUPPORTED');
    }
  });

  it('lends its console to one at a time', async () => {
    const shell = 'setsid sh -i < /dev/ttyS0 > /dev/ttyS0 2>&1 &';
    expect(exec('/bin/sh', '-c', shell).status).toBe(0);
    const typed = test.cli('vm', 'console', 'a', '--command', 'echo console $((40 + 2))');
    expect(typed.output).toContain('console 42');
    expect(test.cli('journal', 'export', '--last', '10m').output).toContain('opens the console of demo/a');
  });
});
