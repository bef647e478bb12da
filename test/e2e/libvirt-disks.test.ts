import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ImageStore, pullImage } from '../../src/images/index.js';
import { LibvirtBench, SOON } from './libvirt-bench.js';
import { whyNoLibvirt } from './libvirtd.js';
import { whyNoQemu } from './qemu-program.js';

const noTools = ['qemu-img', 'xorriso'].find((name) => !existsSync(`/usr/bin/${name}`));
const skip = whyNoQemu() ?? whyNoLibvirt() ?? (noTools && `there is no ${noTools}`);
/** Of the QEMUs, in the libvirtd of the test. */
const UID = 64_055;

describe('disks that vmpulse makes, under a libvirt whose QEMUs have a user of their own', () => {
  let bench: LibvirtBench;

  beforeAll(async () => {
    if (skip !== undefined) return;
    bench = new LibvirtBench({ qemus: 'own-user' });
    await bench.libvirtd.start();
  }, 120_000);
  beforeEach((context) => {
    if (skip !== undefined) context.skip(skip);
  });
  afterAll(() => bench?.close());

  async function vmOverImage(name: string) {
    const store = new ImageStore(bench.stateDir);
    const source = join(bench.folder, 'source.img');
    writeFileSync(source, Buffer.alloc(1024 * 1024, 7));
    const image = await pullImage({ ...SOON, store, source, name: 'tiny', maxBytes: 1e8, nowMs: 0 });
    const folder = join(bench.stateDir, 'disks/e2e', name);
    const overlay = { image: 'tiny' };
    const root = {
      name: 'root',
      path: join(folder, 'root.qcow2'),
      format: 'qcow2',
      readOnly: false,
      overlay,
    } as const;
    const seedPath = join(bench.stateDir, 'vms/e2e', name, 'seed.iso');
    const seed = { name: 'cloudinit', path: seedPath, format: 'raw', readOnly: true } as const;
    const cloudInit = { userData: '#cloud-config\n', metaData: 'instance-id: one\n' };
    const vm = { ...bench.vm(name, { disks: [root, seed] }), cloudInit };
    return { vm, store, image, base: store.pathOf(image), root: root.path, seed: seedPath };
  }

  it('are opened by it, and are seen by nobody else; the image is never its own', {
    timeout: 240_000,
  }, async () => {
    const { vm, store, image, base, root, seed } = await vmOverImage('one');
    const { session, started } = await bench.run(vm);
    expect(await session.status(SOON)).toBe('running');
    expect(readFileSync(`/proc/${started.pid}/status`, 'utf8')).toMatch(
      new RegExp(`^Uid:(\\s+${UID}){4}$`, 'm'),
    );
    const open = execFileSync('ls', ['-l', `/proc/${started.pid}/fd`], { encoding: 'utf8' });
    for (const path of [base, root, seed]) expect(open).toContain(path);
    expect(statSync(root)).toMatchObject({ uid: UID });
    expect(statSync(root).mode & 0o077).toBe(0);
    // Other VMs are laid over it, too: none of their QEMUs may write it, nor give itself the right to.
    expect(statSync(base)).toMatchObject({ uid: 0 });
    expect(statSync(base).mode & 0o222).toBe(0);
    const asOther = (...argv: string[]) =>
      execFileSync('setpriv', ['--reuid=54321', '--regid=54321', '--clear-groups', ...argv], {
        stdio: 'pipe',
      });
    for (const path of [root, seed]) expect(() => asOther('head', '-c1', path)).toThrow('Permission denied');
    expect(() => asOther('ls', join(root, '..'))).toThrow('Permission denied');

    const { session: other } = await bench.run((await vmOverImage('two')).vm);
    expect(await other.status(SOON)).toBe('running');
    await session.stop('force', SOON);
    const again = await bench.run(vm);
    expect(await again.session.status(SOON)).toBe('running');
    await again.session.stop('force', SOON);
    await store.verify(image, {});
  });
});
