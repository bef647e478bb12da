import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, rmSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { CLI } from '../../demo/cli.mjs';
import { needsLab } from '../lab/availability.js';
import { configureVm, DaemonUnderTest, MINUTE } from './world.js';

const NOBODY = '65534';
const AS_NOBODY = ['setpriv', '--reuid', NOBODY, '--regid', NOBODY, '--clear-groups'];
/** Becomes the command that follows, with a /dev that has no kvm in it. */
const WITHOUT_KVM = [
  'unshare',
  '--mount',
  'sh',
  '-c',
  `mount -t tmpfs -o mode=755 tmpfs /dev &&
   mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/zero c 1 5 && mknod -m 666 /dev/urandom c 1 9 &&
   exec "$0" "$@"`,
];
/** Start locks of a user without a folder of his own under /run/user. */
const LOCKS = `/tmp/vmpulse-${NOBODY}-locks`;

let current: DaemonUnderTest | undefined;
let hadLocks = true;

beforeEach(() => {
  hadLocks = existsSync(LOCKS);
});

afterEach(async () => {
  await current?.dispose();
  current = undefined;
  if (!hadLocks) rmSync(LOCKS, { recursive: true, force: true });
}, MINUTE);

function needsBareHost(context: TestContext): void {
  const lab = needsLab(context);
  if (process.getuid?.() !== 0) context.skip('only root can hide /dev/kvm');
  if (spawnSync('unshare', ['--mount', 'true']).status !== 0) context.skip('no mount namespaces here');
  for (const path of [lab.kernel, CLI]) {
    const [program = '', ...args] = [...AS_NOBODY, 'test', '-r', path];
    if (spawnSync(program, args).status !== 0) context.skip(`user ${NOBODY} cannot read ${path}`);
  }
}

describe('a host without KVM, and a user without privileges', () => {
  it('is said, and everything else works', { timeout: 4 * MINUTE }, async (context) => {
    needsBareHost(context);
    const test = await DaemonUnderTest.create(['a', 'b'], {
      under: [...WITHOUT_KVM, ...AS_NOBODY],
      prepare: (world) => {
        configureVm(world, 'a', { 'hypervisor.qemu.accel': 'auto' });
        configureVm(world, 'b', { 'hypervisor.qemu.accel': 'kvm' });
        execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, world.dir]);
      },
    });
    current = test;
    await test.vmOnce('healthy', 'a', ({ health }) => health === 'healthy');
    const { output } = test.cli('status');
    expect(output).toMatch(/^! privileges: not run as root: /m);
    expect(output).toMatch(/^! kvm: guests are not accelerated: .*\/dev\/kvm/m);
    const { degradations } = await test.status();
    expect(degradations.map(({ what }) => what).sort()).toEqual(['kvm', 'privileges']);

    await test.explainedOnce('impossible', 'b', ({ holds }) =>
      holds.some(({ rule }) => rule === 'impossible'),
    );
    expect(test.cli('explain', 'b').output).toMatch(
      /accelerator: KVM is asked for, and .*\/dev\/kvm.*; make KVM work or set accel: auto/,
    );

    const { vmm } = await test.vm('a');
    expect(statSync(`/proc/${vmm?.pid}`).uid).toBe(Number(NOBODY));
    process.kill(vmm?.pid ?? 0, 'SIGKILL');
    const { pastEpisodes } = await test.explainedOnce('recovered', 'a', (explanation) =>
      explanation.pastEpisodes.some(({ outcome }) => outcome === 'recovered'),
    );
    expect(pastEpisodes.at(-1)?.attempts.map(({ step }) => step)).toEqual(['start']);
    expect(test.cli('explain', 'a').output).toContain('vmm-dead (process-gone): start; recovered');
  });
});
