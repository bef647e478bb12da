import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { labAvailable, needsLab } from './availability.js';
import { poll } from './poll.js';
import { QgaClient } from './qga-client.js';
import { QmpClient } from './qmp-client.js';
import { bootLabVm, killLabVms, type LabVm } from './vm.js';

const TEST_MS = 360_000;
const SCRIPT = fileURLToPath(new URL('host-watchdog-in-guest.mjs', import.meta.url));

/** The host's files, so that its Node and the addon run in the guest. */
const MOUNTS = `mkdir -p /host && mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144 hostroot /host &&
for each in proc dev sys; do mount --bind /$each /host/$each; done && mount -t tmpfs tmpfs /host/run`;

/** The software watchdog of Linux is the guest's second device: i6300esb is the first. */
const STATE = '/sys/class/watchdog/watchdog1/state';

// One guest for all of them, which the last one resets.
describe('a watchdog of the host', { retry: 0 }, () => {
  let dir: string | undefined;
  let vm: LabVm;
  let qga: QgaClient;

  beforeAll(async () => {
    if (!labAvailable().ok) return;
    dir = mkdtempSync(join(tmpdir(), 'vmp-hwd-'));
    vm = await bootLabVm({ name: 'hwd', dir, modules: ['9p', 'softdog'], hostRoot: true });
    await vm.waitReady();
    qga = await QgaClient.connect(vm.qgaPath);
    expect(await qga.run('/bin/sh', '-c', MOUNTS)).toMatchObject({ exitCode: 0 });
  }, TEST_MS);

  afterAll(async () => {
    qga?.close();
    await killLabVms();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  beforeEach((context) => {
    needsLab(context);
  });

  const state = async () => (await qga.run('/bin/cat', STATE)).stdout.trim();

  /** Begins the script in the guest, with the host's Node. */
  async function begin(what: string): Promise<void> {
    const node = `chroot /host /usr/bin/env PATH=/usr/local/bin:/usr/bin:/bin ${process.execPath} ${SCRIPT} ${what}`;
    const run = `${node} > /run/hwd-${what} 2>&1; echo ended >> /run/hwd-${what}`;
    await qga.execute('guest-exec', { path: '/bin/sh', arg: ['-c', run] });
  }
  const output = async (what: string) => (await qga.run('/bin/cat', `/run/hwd-${what}`)).stdout;
  const ended = (what: string) =>
    poll('the script ends', 240_000, async () => {
      const text = await output(what);
      return text.endsWith('ended\n') ? text : undefined;
    });

  it('is armed, fed and disarmed again', { timeout: TEST_MS }, async () => {
    expect(await state()).toBe('inactive');
    await begin('cycle');
    expect(JSON.parse((await ended('cycle')).split('\n')[0] ?? '')).toEqual({
      identity: 'Software Watchdog',
      timeoutSeconds: 30,
      armed: 'active',
      busy: 'EBUSY',
      disarmed: 'inactive',
      closed: 'ERR_VMPULSE_CLOSED',
    });
    expect(await state()).toBe('inactive');
  });

  it('is not touched under nowayout', { timeout: TEST_MS }, async () => {
    const load = 'rmmod softdog && insmod /lib/modules/softdog.ko nowayout=1';
    expect(await qga.run('/bin/sh', '-c', load)).toMatchObject({ exitCode: 0 });
    await begin('nowayout');
    expect(await ended('nowayout')).toMatch(/ERR_VMPULSE_UNSUPPORTED .*nowayout is set/);
    expect(await state()).toBe('inactive');
    const again = 'rmmod softdog && insmod /lib/modules/softdog.ko';
    expect(await qga.run('/bin/sh', '-c', again)).toMatchObject({ exitCode: 0 });
  });

  it('resets the machine once the supervisor makes no progress', { timeout: TEST_MS }, async () => {
    const qmp = await QmpClient.connect(vm.qmpPath);
    const bootId = await vm.bootId();
    await begin('starve');
    await poll('it is fed', 120_000, async () =>
      (await output('starve')).includes('fed') ? true : undefined,
    );
    qmp.events.length = 0;
    expect((await qga.run('/bin/touch', '/host/run/stuck')).exitCode).toBe(0);
    expect((await qmp.waitEvent('RESET', 120_000)).data).toMatchObject({ guest: true });
    await poll('another boot', 120_000, async () => ((await vm.bootId(400)) === bootId ? undefined : true));
    qmp.close();
  });
});
