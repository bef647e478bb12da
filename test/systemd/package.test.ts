import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemdObstacle } from '../../lab/systemd.mjs';
import { findProgram } from '../../scripts/lib/run.mjs';
import { needsSystemd, SystemdMachine } from './machine.js';
import { allRun, MINUTE, SERVICE, status, writeVms } from './service.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BUILD = join(ROOT, 'build');
const JOURNAL = '/var/lib/vmpulse/journal.db';

/** Reads, or with a second argument sets, the version of the journal's form. */
const SCHEMA = `
const Database = require('/usr/lib/vmpulse/node_modules/libsql');
const database = new Database(process.argv[1]);
if (process.argv[2]) database.exec('PRAGMA user_version = ' + process.argv[2]);
console.log(database.prepare('PRAGMA user_version').get().user_version);
`;

const noDpkg = findProgram('dpkg-deb') === undefined ? 'there is no dpkg-deb: this is not Debian' : undefined;
const obstacle = systemdObstacle() ?? noDpkg;

/** The package of what is built here, and the same with the next revision. */
function buildPackages(folder: string): readonly [string, string] {
  const said = execFileSync(process.execPath, ['scripts/package-deb.mjs', '--fast'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  const first = join(ROOT, said.trim());
  const tree = join(folder, 'tree');
  execFileSync('dpkg-deb', ['--raw-extract', first, tree]);
  const control = join(tree, 'DEBIAN/control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^(Version: .*)-1$/m, '$1-2'));
  const second = join(folder, 'next.deb');
  execFileSync('dpkg-deb', ['--root-owner-group', '-Znone', '--build', tree, second]);
  return [first, second];
}

describe('the Debian package', { timeout: 5 * MINUTE, retry: 0 }, () => {
  let machine: SystemdMachine;
  let folder: string;
  let first: string;
  let second: string;

  beforeAll(async () => {
    if (obstacle !== undefined) return;
    mkdirSync(BUILD, { recursive: true });
    folder = mkdtempSync(join(BUILD, 'deb-test-'));
    [first, second] = buildPackages(folder);
    machine = await SystemdMachine.boot();
    // This host may keep packages from starting services, and have its Node from elsewhere.
    machine.run('rm', '-f', '/usr/sbin/policy-rc.d');
    const path = `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin`;
    machine.write(`/etc/systemd/system/${SERVICE}.d/node.conf`, `[Service]\nEnvironment=PATH=${path}\n`);
    writeVms(machine, { 'web-1': {}, 'web-2': {} });
  }, 15 * MINUTE);
  afterAll(async () => {
    await machine?.dispose();
    if (folder !== undefined) rmSync(folder, { recursive: true });
  });
  beforeEach((context) => {
    needsSystemd(context);
    if (noDpkg !== undefined) context.skip(noDpkg);
  });

  const install = (path: string) => machine.run('dpkg', '--force-depends,downgrade', '--install', path);
  const version = () => machine.run('dpkg-query', '--show', 'vmpulse').trim();
  const schema = (set = '') => machine.run(process.execPath, '-e', SCHEMA, JOURNAL, set).trim();

  it('is installed whole, and its service runs and is enabled', async () => {
    install(first);
    expect(machine.run('dpkg', '--verify', 'vmpulse')).toBe('');
    expect(machine.property(SERVICE, 'ActiveState')).toBe('active');
    expect(machine.run('systemctl', 'is-enabled', SERVICE).trim()).toBe('enabled');
    await allRun(machine, 2);
    expect(status(machine).engine).toBe('native');
    expect(status(machine).degradations).toEqual([]);
  });

  it('has manual pages and completions where they are looked for', () => {
    for (const page of ['vmpulse', 'vmpulse-vm', 'vmpulse-health-monitor', 'vmpulse-must-gather'])
      machine.run('gzip', '--test', `/usr/share/man/man1/${page}.1.gz`);
    machine.run('bash', '-n', '/usr/share/bash-completion/completions/vmpulse');
    expect(machine.read('/usr/share/zsh/vendor-completions/_vmpulse')).toMatch(/^#compdef vmpulse\n/);
    expect(machine.read('/usr/share/fish/vendor_completions.d/vmpulse.fish')).toContain('vmpulse');
  });

  it('is upgraded and downgraded: the daemon is another, VMs and state are the same', async () => {
    machine.run('vmpulse', 'recovery', 'hold', '--vm', 'web-2', '--reason', 'kept');
    for (const [path, revision] of [
      [second, '2'],
      [first, '1'],
    ] as const) {
      const before = status(machine);
      install(path);
      expect(version()).toMatch(new RegExp(`-${revision}$`));
      const vms = await allRun(machine, 2);
      expect(status(machine).pid).not.toBe(before.pid);
      expect(vms.map(({ vmm }) => vmm)).toEqual(before.vms.map(({ vmm }) => vmm));
      expect(status(machine).holds).toEqual(before.holds);
      expect(before.holds.map(({ reason }) => reason)).toEqual(['kept']);
    }
  });

  it('leaves the service off where somebody has switched it off', () => {
    machine.run('systemctl', 'disable', SERVICE);
    install(second);
    expect(machine.try('systemctl', 'is-enabled', SERVICE).output.trim()).toBe('disabled');
    machine.run('systemctl', 'enable', SERVICE);
  });

  it('refuses the state of a newer version clearly, once, and touches neither it nor a VM', async () => {
    const { vms } = status(machine);
    machine.run('systemctl', 'stop', SERVICE);
    const own = schema();
    expect(schema('999')).toBe('999');
    expect(machine.try('systemctl', 'start', SERVICE).status).not.toBe(0);
    expect(machine.property(SERVICE, 'ActiveState')).toBe('failed');
    expect(machine.property(SERVICE, 'ExecMainStatus')).toBe('65');
    expect(machine.log(SERVICE)).toContain('ERR_VMPULSE_JOURNAL_VERSION');
    expect(schema()).toBe('999');
    for (const { vmm } of vms) expect(machine.read(`/proc/${vmm?.pid}/comm`)).toContain('qemu');
    schema(own);
    machine.run('systemctl', 'start', SERVICE);
    expect((await allRun(machine, 2)).map(({ vmm }) => vmm)).toEqual(vms.map(({ vmm }) => vmm));
  });

  it('is removed and purged: the daemon ends, VMs run on, and their disks may lie in what stays', () => {
    const { vms } = status(machine);
    machine.run('dpkg', '--purge', 'vmpulse');
    expect(machine.try('systemctl', 'is-active', SERVICE).output.trim()).toBe('inactive');
    for (const { vmm } of vms) expect(machine.read(`/proc/${vmm?.pid}/comm`)).toContain('qemu');
    machine.run('test', '-f', JOURNAL);
    expect(machine.try('test', '-e', '/usr/lib/vmpulse').status).not.toBe(0);
  });
});
