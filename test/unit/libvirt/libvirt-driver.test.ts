import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LibvirtDriver } from '../../../src/hypervisors/libvirt/libvirt-driver.js';
import { writeDomain } from '../../../src/hypervisors/libvirt/rpc/domain.js';
import { XdrWriter } from '../../../src/hypervisors/libvirt/rpc/xdr.js';
import type { LibvirtSpec } from '../../../src/model/hypervisors/libvirt.js';
import { testFolder } from '../../fixtures/folder.js';
import { testHost, testVm, UUID } from '../qemu/fixtures.js';
import { FakeLibvirtd } from './fake-libvirtd.js';

const [GET_XML, LOOKUP, CREATE, STATE, DESTROY] = [14, 23, 196, 212, 234];
const XML = `<domain><memory unit='MiB'>1</memory><devices><emulator>${process.execPath}</emulator></devices></domain>`;
const [RUNNING, SHUT_OFF] = [1, 5];

/** A driver, and a domain that libvirt keeps and that is off. */
async function setUp() {
  const fake = await FakeLibvirtd.start();
  const folder = testFolder();
  // Others on this host may run one of a simpler name.
  const domain = `kept-${crypto.randomUUID()}`;
  fake.answers.set(LOOKUP, () => writeDomain(new XdrWriter(), { name: domain, uuid: UUID }));
  fake.answers.set(GET_XML, () => new XdrWriter().string(XML));
  fake.answers.set(STATE, () => new XdrWriter().int(SHUT_OFF).int(0));
  fake.answers.set(DESTROY, () => new XdrWriter());
  const driver = new LibvirtDriver(testHost(), {
    runDir: join(folder, 'run'),
    stateDir: join(folder, 'state'),
    lockDir: join(folder, 'lock'),
  });
  const { binary, memoryMiB, vcpus, disks, interfaces, guestAgent, pvpanic, extraArgs } = testVm().hypervisor;
  const hypervisor: LibvirtSpec = {
    driver: 'libvirt',
    uri: `qemu+unix:///system?socket=${fake.path}`,
    architecture: 'x86_64',
    machine: 'q35',
    accel: 'tcg',
    adopt: { domain },
    ...{ binary, memoryMiB, vcpus, disks, interfaces, guestAgent, pvpanic, extraArgs },
  };
  const start = (deadlineMs = 20_000) => driver.start({ ...testVm(), hypervisor }, { deadlineMs });
  return { fake, start };
}

describe('a start that fails', () => {
  it('leaves alone what others have started meanwhile', async () => {
    const { fake, start } = await setUp();
    fake.answers.set(CREATE, () => 55);
    await expect(start()).rejects.toMatchObject({
      code: 'ERR_VMPULSE_START_FAILED',
      message: expect.stringContaining('libvirt refuses create'),
    });
    expect(fake.asked).toContain(CREATE);
    expect(fake.asked).not.toContain(DESTROY);
  });

  it('destroys nothing when libvirt was not asked for anything', async () => {
    const { fake, start } = await setUp();
    fake.answers.set(STATE, () => new XdrWriter().int(RUNNING).int(1));
    await expect(start(4_000)).rejects.toMatchObject({ code: 'ERR_VMPULSE_START_FAILED' });
    expect(fake.asked).toContain(STATE);
    expect(fake.asked).not.toContain(CREATE);
    expect(fake.asked).not.toContain(DESTROY);
  });

  it.each([
    ['the connection is lost', (fake: FakeLibvirtd) => void fake.sockets.at(-1)?.destroy()],
    ['libvirt does not say what came of it', () => {}],
  ])('destroys what may have come up when %s', async (_when, act) => {
    const { fake, start } = await setUp();
    fake.answers.set(CREATE, () => {
      act(fake);
      return undefined;
    });
    await expect(start(4_000)).rejects.toMatchObject({ code: 'ERR_VMPULSE_START_FAILED' });
    expect(fake.asked).toContain(DESTROY);
  });
});
