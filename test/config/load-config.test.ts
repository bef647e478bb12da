import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { diffConfig, type LoadedConfig, loadConfig } from '../../src/config/index.js';
import { errorMessage, isVmpulseError } from '../../src/model/errors.js';
import { pair } from './compile.js';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'vmpulse-config-'));
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

async function write(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
  return join(root, 'config.yaml');
}

/** The problems, with the test's directory as `~`. */
async function problems(path: string): Promise<readonly string[]> {
  const error: unknown = await loadConfig(path).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isVmpulseError(error, 'ERR_VMPULSE_CONFIG')) throw new Error(`no problem: ${errorMessage(error)}`);
  expect(error.details.problems).toEqual(error.message.split('\n'));
  return error.message.replaceAll(root, '~').split('\n');
}

describe('loadConfig', () => {
  it('reads the directory beside the configuration, by name, without hidden files and others', async () => {
    const path = await write({
      'config.yaml': 'hostName: kvm-3\n',
      'vms.d/b.yml': pair({ name: 'b' }),
      'vms.d/a.yaml': `\ufeff${pair({ name: 'a' })}`,
      'vms.d/c.json':
        '{"apiVersion":"vmpulse.dev/v1","kind":"VirtualMachineHost","metadata":{"name":"c"},"spec":{"hypervisor":{"qemu":{"adopt":{"qmpSocket":"/run/c.qmp"}}}}}',
      'vms.d/d.yaml':
        'apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: c}\nspec: {running: true, template: {spec: {}}}\n',
      'vms.d/.hidden.yaml': 'nonsense: [',
      'vms.d/notes.txt': 'nonsense: [',
      'vms.d/more/e.yaml': 'nonsense: [',
    });
    const loaded = await loadConfig(path);
    expect(loaded.config.hostName).toBe('kvm-3');
    expect(loaded.vms.map(({ id }) => id)).toEqual(['default/a', 'default/b', 'default/c']);
    expect(loaded.sources).toEqual([{ path: join(root, 'vms.d'), state: 'read', files: 4 }]);
    expect(loaded.warnings).toEqual([
      `${join(root, 'vms.d/d.yaml')}:4:7 spec: has no probe of its own; only its process and its run state are watched`,
    ]);
  });

  it('tells a missing directory from an empty one; neither is an error', async () => {
    const path = await write({ 'config.yaml': 'manifests: [gone, empty, some]\n', 'some/a.yaml': pair() });
    await mkdir(join(root, 'empty'));
    const loaded = await loadConfig(path);
    expect(loaded.sources.map(({ state, files }) => [state, files])).toEqual([
      ['missing', 0],
      ['empty', 0],
      ['read', 1],
    ]);
    expect(loaded.warnings.map((text) => text.replace(root, '~'))).toEqual([
      '~/gone: there is no such directory or file; no VM is watched from it',
      '~/empty: has no documents; no VM is watched from it',
    ]);
  });

  it('takes single files, and follows links', async () => {
    const path = await write({
      'config.yaml': 'manifests: [one.yaml, links]\n',
      'one.yaml': pair(),
      'real.yaml': pair({ name: 'web-2' }),
    });
    await mkdir(join(root, 'links'));
    await symlink(join(root, 'real.yaml'), join(root, 'links/two.yaml'));
    expect((await loadConfig(path)).vms.map(({ id }) => id)).toEqual(['default/web-1', 'default/web-2']);
  });

  it('tells everything that is wrong at once, in the order of files and lines', async () => {
    const path = await write({
      'config.yaml': '',
      'vms.d/a.yaml': pair({ probe: '{tcpSocket: {port: 0}}' }),
      'vms.d/b.yaml': 'a: [',
      'vms.d/c.yaml': new Uint8Array([0x61, 0x3a, 0x20, 0xff, 0xfe]),
      'vms.d/d.yaml': '#'.repeat(1_048_577),
    });
    await symlink('/nowhere', join(root, 'vms.d/e.yaml'));
    await mkdir(join(root, 'vms.d/f.yaml'));
    expect(await problems(path)).toEqual([
      '~/vms.d/a.yaml:2:84 spec.template.spec.readinessProbe.tcpSocket.port: must be between 1 and 65535, not 0; write a port such as 8080',
      '~/vms.d/b.yaml:1:5: is not valid YAML: flow sequence in block collection must be sufficiently indented and end with a ]; check the indentation',
      '~/vms.d/c.yaml:1:1: is not UTF-8; save it as UTF-8',
      '~/vms.d/d.yaml:1:1: has 1048577 bytes; split the file, at most 1048576 are read',
      '~/vms.d/e.yaml:1:1: went away while it was read; reload once more',
      '~/vms.d/f.yaml:1:1: is not a file; name a file',
    ]);
  });

  it('says what to do when there is no configuration, or one in TOML', async () => {
    expect(await problems(join(root, 'config.yaml'))).toEqual([
      '~/config.yaml:1:1: does not exist; create it, an empty file takes every default',
    ]);
    expect(await problems(join(root, 'config.toml'))).toEqual([
      '~/config.toml:1:1: is TOML, which is not read; write the configuration as YAML',
    ]);
  });

  it('ends when it is withdrawn or its time is over', async () => {
    const path = await write({ 'config.yaml': '' });
    await expect(loadConfig(path, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ABORTED',
    });
    await expect(loadConfig(path, { deadlineMs: 0 })).rejects.toMatchObject({ code: 'ERR_VMPULSE_TIMEOUT' });
  });
});

describe('diffConfig', () => {
  async function load(config: string, vms: string): Promise<LoadedConfig> {
    return loadConfig(await write({ 'config.yaml': config, 'vms.d/vms.yaml': vms }), {
      hostName: 'test-host',
    });
  }

  it('finds nothing in two readings of the same', async () => {
    const before = await load('', pair());
    expect(diffConfig(before, await load('', pair()))).toEqual({
      added: [],
      removed: [],
      changed: [],
      daemon: { changed: [], restartRequired: [] },
    });
  });

  it('finds VMs that came, went and changed, and what needs a restart of the VM', async () => {
    const qemu = (text: string) => `hypervisor: {qemu: {${text}}}`;
    const vm = (name: string, spec: string, probe = '{guestAgentPing: {}}') => pair({ name, spec, probe });
    const before = await load(
      '',
      [
        vm('a', qemu('memory: 1Gi')),
        vm('b', qemu('memory: 1Gi')),
        vm('c', qemu('memory: 1Gi')),
        vm('d', qemu('memory: 1Gi')),
      ].join('---\n'),
    );
    const after = await load(
      '',
      [
        vm('a', `${qemu('memory: 2Gi, vcpus: 2')}, address: 192.0.2.1`),
        vm(
          'b',
          `${qemu('memory: 1Gi')}, recovery: {enabled: true}`,
          '{guestAgentPing: {}, periodSeconds: 3}',
        ),
        vm('d', qemu('memory: 1Gi')),
        vm('e', qemu('memory: 1Gi')),
      ].join('---\n'),
    );
    expect(diffConfig(before, after)).toEqual({
      added: ['default/e'],
      removed: ['default/c'],
      changed: [
        {
          id: 'default/a',
          restartRequired: true,
          what: ['address', 'hypervisor.memoryMiB', 'hypervisor.vcpus'],
        },
        { id: 'default/b', restartRequired: false, what: ['probes', 'recovery'] },
      ],
      daemon: { changed: [], restartRequired: [] },
    });
  });

  it('finds what changed for the daemon, and what it takes over only when it starts', async () => {
    const before = await load('', pair());
    const after = await load(
      'logLevel: debug\nstateDir: /srv\nengine: {tickMs: 4}\nmetrics: {listen: 127.0.0.1:9810, seedNames: true}\nlimits: {bootsPerMinute: 1}\n',
      pair(),
    );
    expect(diffConfig(before, after).daemon).toEqual({
      changed: [
        'engine.tickMs',
        'limits.bootsPerMinute',
        'logLevel',
        'metrics.listen',
        'metrics.seedNames',
        'stateDir',
      ],
      restartRequired: ['engine.tickMs', 'stateDir'],
    });
  });
});
