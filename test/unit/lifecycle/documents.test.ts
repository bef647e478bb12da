import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../../src/config/index.js';
import { Documents } from '../../../src/lifecycle/index.js';

function manifest(name: string, more = ''): string {
  return `apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: ${name}}
spec:
  runStrategy: Manual
  template: {spec: {domain: {devices: {}}${more}}}
---
apiVersion: vmpulse.dev/v1
kind: VirtualMachineHost
metadata: {name: ${name}}
spec: {hypervisor: {qemu: {memory: 128Mi}}}
`;
}

function place() {
  const dir = mkdtempSync(join(tmpdir(), 'vmpulse-documents-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const configPath = join(dir, 'config.yaml');
  const stateDir = join(dir, 'state');
  mkdirSync(join(dir, 'vms'));
  mkdirSync(stateDir);
  writeFileSync(configPath, `stateDir: ${stateDir}\nmanifests: [${join(dir, 'vms')}]\n`);
  let reloads = 0;
  let reload = async () => {
    reloads += 1;
  };
  const documents = new Documents({ configPath, stateDir, reload: () => reload() });
  return {
    dir,
    stateDir,
    documents,
    reloads: () => reloads,
    onReload: (next: () => Promise<void>) => {
      reload = next;
    },
    vms: async () => (await loadConfig(configPath)).vms.map(({ id }) => id),
    apply: (text: string, more: { prune?: boolean; dryRun?: boolean } = {}) =>
      documents.apply({ files: [{ path: 'given.yaml', text }], prune: false, dryRun: false, ...more }),
  };
}

describe('documents that are applied', () => {
  it('are stored, take effect, and are loaded with those that are kept by hand', async () => {
    const { dir, apply, vms, reloads } = place();
    writeFileSync(join(dir, 'vms', 'hand.yaml'), manifest('hand'));
    const view = await apply(`${manifest('web-1')}---\n${manifest('web-2')}`);
    expect(view.vms).toEqual({ added: ['default/web-1', 'default/web-2'], removed: [], changed: [] });
    expect(view.documents.added).toHaveLength(4);
    expect(await vms()).toEqual(['default/hand', 'default/web-1', 'default/web-2']);
    expect(reloads()).toBe(1);
  });

  it('change nothing in a dry run', async () => {
    const { apply, vms, reloads, stateDir } = place();
    const view = await apply(manifest('web-1'), { dryRun: true });
    expect(view).toMatchObject({ dryRun: true, vms: { added: ['default/web-1'] } });
    expect(await vms()).toEqual([]);
    expect(reloads()).toBe(0);
    expect(readdirSync(stateDir)).toEqual([]);
  });

  it('say what of a VM changes, and whether that needs a restart', async () => {
    const { apply } = place();
    await apply(manifest('web-1'));
    expect((await apply(manifest('web-1'))).documents).toMatchObject({
      changed: [],
      unchanged: [{}, {}].map(() => expect.any(String)),
    });
    const soft = await apply(manifest('web-1', ', terminationGracePeriodSeconds: 7'));
    expect(soft.vms.changed).toEqual([{ id: 'default/web-1', restartRequired: false, what: ['recovery'] }]);
    const hard = await apply(manifest('web-1').replace('128Mi', '256Mi'));
    expect(hard.vms.changed).toEqual([
      { id: 'default/web-1', restartRequired: true, what: ['hypervisor.memoryMiB', 'recovery'] },
    ]);
  });

  it('are removed only by prune or by name', async () => {
    const { apply, vms, documents, stateDir } = place();
    await apply(manifest('web-1'));
    await apply(manifest('web-2'));
    expect(await vms()).toEqual(['default/web-1', 'default/web-2']);
    expect((await apply(manifest('web-2'), { prune: true })).vms.removed).toEqual(['default/web-1']);
    expect((await documents.remove('default/web-2')).documents.removed).toHaveLength(2);
    expect(await vms()).toEqual([]);
    expect(readdirSync(stateDir).filter((name) => name.startsWith('documents.'))).toHaveLength(1);
  });

  it('do not replace what is kept by hand, and say where that is', async () => {
    const { dir, apply, vms } = place();
    writeFileSync(join(dir, 'vms', 'hand.yaml'), manifest('web-1'));
    await expect(apply(manifest('web-1'))).rejects.toMatchObject({
      code: 'ERR_VMPULSE_CONFIG',
      message: expect.stringMatching(
        /^given\.yaml:3:18 metadata\.name: VirtualMachine default\/web-1 is kept by hand at \S*hand\.yaml:3:18; change it there/,
      ),
    });
    expect(await vms()).toEqual(['default/web-1']);
  });

  it.each([
    [
      'a document that is wrong',
      manifest('web-2').replace('128Mi', 'much'),
      /given\.yaml:11:\d+ spec\.hypervisor\.qemu\.memory: is not an amount/,
    ],
    ['a document of a kind that is not read', 'apiVersion: v1\nkind: Pod\n', /vmpulse does not read/],
    ['a manifest alone', manifest('web-2').split('---')[0] ?? '', /has no VirtualMachineHost document/],
    ['text that is no YAML', '{', /is not valid YAML/],
  ])('are refused whole for %s', async (_, text, message) => {
    const { apply, vms, reloads } = place();
    await apply(manifest('web-1'));
    await expect(apply(`${manifest('web-3')}---\n${text}`)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_CONFIG',
    });
    await expect(apply(text)).rejects.toThrow(message);
    expect(await vms()).toEqual(['default/web-1']);
    expect(reloads()).toBe(1);
  });

  it('are as before when they cannot take effect', async () => {
    const { apply, vms, onReload, stateDir } = place();
    await apply(manifest('web-1'));
    onReload(() => Promise.reject(new Error('the disk is full')));
    await expect(apply(manifest('web-2'))).rejects.toThrow('the disk is full');
    expect(await vms()).toEqual(['default/web-1']);
    expect(readdirSync(stateDir).filter((name) => name.startsWith('documents.'))).toHaveLength(1);
  });

  it('are all of the former ones after an apply that died', async () => {
    const { apply, vms, documents, stateDir } = place();
    await apply(manifest('web-1'));
    const dead = join(stateDir, 'documents.dead');
    mkdirSync(dead);
    writeFileSync(join(dead, 'VirtualMachine_default_web-2.yaml'), 'half');
    expect(await vms()).toEqual(['default/web-1']);
    expect(await documents.leftovers()).toEqual([dead]);
    await documents.tidy();
    expect(existsSync(dead)).toBe(false);
  });
});
