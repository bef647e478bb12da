import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { capabilitiesOf } from '../../../src/hypervisors/cloud-hypervisor/capabilities.js';
import { Deadline } from '../../../src/model/deadline.js';
import type { CloudHypervisorSpec } from '../../../src/model/hypervisors/cloud-hypervisor.js';
import { testFolder } from '../../fixtures/folder.js';
import { testVm } from '../qemu/fixtures.js';

const HYPERVISOR: CloudHypervisorSpec = {
  driver: 'cloud-hypervisor',
  binary: 'ch',
  memoryMiB: 64,
  vcpus: 1,
  disks: [],
  interfaces: [],
  guestAgent: false,
  watchdog: true,
  pvpanic: true,
  extraArgs: [],
};

function ask(script: string, deadlineMs = 10_000, watchdog = true) {
  const path = join(testFolder(), 'ch');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  const vm = { ...testVm(), hypervisor: { ...HYPERVISOR, watchdog } };
  return capabilitiesOf(path, vm, new Deadline('it', { deadlineMs }));
}

describe('what a Cloud Hypervisor can do', () => {
  it('is what its help says', async () => {
    const old = 'echo "--api-socket --event-monitor --watchdog"';
    expect(await ask(old)).toEqual({ pvpanic: false, uuidKey: 'uuid', imageType: false });
    const recent = 'echo "--api-socket --event-monitor --watchdog --pvpanic system_uuid= image_type="';
    expect(await ask(recent)).toEqual({ pvpanic: true, uuidKey: 'system_uuid', imageType: true });
  });

  it.each([
    ['echo "--api-socket"', /is no Cloud Hypervisor with/],
    ['exit 3', /does not say what it can do/],
    ['echo "--api-socket --event-monitor"', /wants a watchdog, which .* has not/],
  ])('of %s refuses a start', async (script, message) => {
    await expect(ask(script)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_START_IMPOSSIBLE',
      message: expect.stringMatching(message),
    });
  });

  it('is not waited for beyond the deadline', async () => {
    const begun = performance.now();
    await expect(ask('exec sleep 60', 300)).rejects.toMatchObject({ code: 'ERR_VMPULSE_START_IMPOSSIBLE' });
    expect(performance.now() - begun).toBeLessThan(20_000);
  });
});
