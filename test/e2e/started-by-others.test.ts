import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { labVmFiles } from '../../lab/vm.mjs';
import { freePort } from '../fixtures/ports.js';
import { needsLab } from '../lab/availability.js';
import { bootLabVm, killLabVms } from '../lab/vm.js';
import { writeAdoptedVm } from './adopted-vm.js';
import { DaemonUnderTest, MINUTE } from './world.js';

let current: DaemonUnderTest | undefined;
let dir: string | undefined;

beforeEach((context) => {
  needsLab(context);
});

afterEach(async () => {
  await current?.dispose();
  await killLabVms();
  if (dir !== undefined) rmSync(dir, { recursive: true });
  current = undefined;
  dir = undefined;
}, MINUTE);

describe('an adopted VM', () => {
  it('is watched from whenever others start it, and left alone when they stop it', {
    timeout: 4 * MINUTE,
  }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vmpulse-test-'));
    dir = folder;
    const port = await freePort();
    const boot = () => bootLabVm({ name: 'guest', dir: folder, port });
    const { qmp: qmpSocket, qga: agentSocket } = labVmFiles('guest', folder);
    const test = await DaemonUnderTest.create([], {
      prepare: (world) => writeAdoptedVm(world, 'a', { qmpSocket, agentSocket, httpPort: port }),
    });
    current = test;
    await test.vmOnce('stopped', 'a', ({ health }) => health === 'stopped');
    expect(test.cli('explain', 'a').output).toContain('start it the way it was started before');

    const first = await boot();
    await test.vmOnce('healthy', 'a', ({ health }) => health === 'healthy');
    expect((await test.vm('a')).vmm?.pid).toBe(first.pid);

    process.kill(first.pid, 'SIGTERM');
    await test.vmOnce('stopped by others', 'a', ({ health }) => health === 'stopped');
    expect(test.cli('explain', 'a').output).toContain('stopped from outside');

    const second = await boot();
    await test.vmOnce('healthy again', 'a', ({ health }) => health === 'healthy');
    expect((await test.vm('a')).vmm?.pid).toBe(second.pid);
    expect(test.log()).not.toContain('begins');
  });
});
