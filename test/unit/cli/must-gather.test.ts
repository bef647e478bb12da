import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { dirname, join, relative } from 'node:path';
import { extract } from 'tar';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DaemonClient } from '../../../src/cli/client.js';
import { gather } from '../../../src/cli/gather/gather.js';
import type { StoredJournalEntry } from '../../../src/model/ports.js';
import { openJournal } from '../../../src/runtime/journal/index.js';
import { testFolder } from '../../fixtures/folder.js';
import { FakeLifecycle } from '../daemon/fake-lifecycle.js';
import { serve } from '../daemon/helpers.js';
import { runCommandLine } from './in-process.js';
import { startCli } from './run-cli.js';

/** Each stands somewhere else; none may leave the host. */
const PLANTED = {
  header: 'PLANTEDheader0001',
  userData: 'PLANTEDuserdata02',
  password: 'PLANTEDpassword03',
  vnc: 'PLANTEDsecretobj4',
  argument: 'PLANTEDargument05',
  bearer: 'PLANTEDbearer0006',
  console: 'PLANTEDconsole007',
  key: 'PLANTEDkey0000008',
  url: 'PLANTEDurl0000009',
  linked: 'PLANTEDlinked0010',
  disk: 'PLANTEDdisk000011',
  raw: 'PLANTEDraw0000012',
} as const;

const DOCUMENTS = `
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: web, namespace: default}
spec:
  running: true
  template:
    spec:
      domain: {memory: {guest: 256Mi}}
      readinessProbe:
        httpGet: {port: 80, path: /healthz, httpHeaders: [{name: X-Session, value: ${PLANTED.header}}]}
---
apiVersion: vmpulse.dev/v1
kind: VirtualMachineHost
metadata: {name: web, namespace: default}
spec:
  address: 192.0.2.7
  cloudInit:
    userData: |
      #cloud-config
      password: ${PLANTED.userData}
  hypervisor:
    qemu:
      extraArgs: [-object, 'secret,id=vnc,data=${PLANTED.vnc}']
  probes:
  - name: login
    ssh: {level: auth, user: probe, passwordFile: SECRETS/password, hostKey: any}
`;

interface Host {
  readonly dir: string;
  readonly config: string;
  readonly stateDir: string;
}

function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** A host with secrets wherever some can be. */
async function plantedHost(): Promise<Host> {
  const dir = testFolder();
  const [stateDir, runDir] = [join(dir, 'state'), join(dir, 'run')];
  const config = join(dir, 'config.yaml');
  put(config, `stateDir: ${stateDir}\nrunDir: ${runDir}\n`);
  put(join(dir, 'secrets/password'), `${PLANTED.password}\n`);
  put(join(dir, 'vms.d/web.yaml'), DOCUMENTS.replace('SECRETS', join(dir, 'secrets')));
  const vm = join(stateDir, 'vms/default/web');
  put(join(vm, 'state.json'), '{"id":"default/web","state":"RUNNING"}\n');
  put(
    join(vm, 'commands.log'),
    `2026 | root@0 | mysql --password ${PLANTED.argument} -e 'select 1' | done\n`,
  );
  put(join(vm, 'root.qcow2'), PLANTED.disk);
  put(join(dir, 'elsewhere'), PLANTED.linked);
  symlinkSync(join(dir, 'elsewhere'), join(vm, 'stderr.log'));
  symlinkSync(join(dir, 'secrets'), join(vm, 'folder.log'));
  const server = createServer().listen(join(vm, 'api.sock'));
  onTestFinished(() => void server.close());
  const said = [
    `guest login: root password: ${PLANTED.console}`,
    `curl -H 'Authorization: Bearer ${PLANTED.bearer}' https://joe:${PLANTED.url}@example.org/x`,
    `-----BEGIN RSA PRIVATE KEY-----\nMIIE${PLANTED.key}\n-----END RSA PRIVATE KEY-----`,
    // Known from the configuration, without anything that tells what they are.
    `${PLANTED.userData} ${PLANTED.password} ${PLANTED.header}`,
  ];
  put(
    join(runDir, 'vms/default/web/console.log'),
    `${'boot\n'.repeat(400_000)}${said.join('\n')}\nthe end\n`,
  );
  return { dir, config, stateDir };
}

const told: Omit<StoredJournalEntry, 'seq' | 'atMs'> = {
  vm: 'default/web',
  type: 'operator',
  actionId: null,
  text: `exec for ann@1000: curl -u x --token=${PLANTED.raw} ${PLANTED.userData}`,
  data: { argv: ['login', '--password', PLANTED.raw], env: { SESSION: PLANTED.raw } },
};

async function unpacked(file: string): Promise<Map<string, string>> {
  const dir = testFolder();
  await extract({ file, cwd: dir });
  const files = readdirSync(dir, { recursive: true, withFileTypes: true });
  expect(files.filter((entry) => !entry.isFile() && !entry.isDirectory())).toEqual([]);
  return new Map(
    files
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [relative(join(dir, 'must-gather'), path), readFileSync(path, 'latin1')]),
  );
}

function leaks(files: ReadonlyMap<string, string>): string[] {
  return [...files].flatMap(([name, text]) =>
    Object.values(PLANTED).flatMap((secret) => (text.includes(secret) ? [`${name} has ${secret}`] : [])),
  );
}

describe('vmpulse must-gather', { timeout: 180_000 }, () => {
  it('packs what there is, without any secret, and says what is not there', async () => {
    const { dir, config } = await plantedHost();
    const { runtime, socket } = await serve();
    runtime.entries = [{ ...told, seq: 1, atMs: Date.now() - 1_000 }];
    const output = join(dir, 'out.tar.gz');
    const args = ['must-gather', '-o', output, '--config', config, '--socket', socket];
    const { status, stdout, stderr } = await runCommandLine(args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(output);
    expect(statSync(output).mode & 0o777).toBe(0o600);
    const files = await unpacked(output);
    expect(leaks(files)).toEqual([]);
    const has = [...files.keys()];
    for (const name of [
      ...[
        'configuration/effective.json',
        'versions.json',
        'host/proc/meminfo',
        'doctor.json',
        'manifest.json',
      ],
      ...['daemon/status.json', 'daemon/health.json', 'daemon/metrics.prom', 'daemon/vms/default/web-1.json'],
      ...['journal.jsonl', 'vms/state/default/web/state.json', 'vms/run/default/web/console.log'],
    ])
      expect(has).toContain(name);
    expect(files.get('journal.jsonl')).toContain('exec for ann@1000');
    const effective = files.get('configuration/effective.json') ?? '';
    expect(effective).toContain('"path": "/healthz"');
    expect(effective).toContain('secret,id=vnc,data=[redacted]');
    expect(files.get('vms/state/default/web/commands.log')).toContain("--password [redacted] -e 'select 1'");
    const consoleLog = files.get('vms/run/default/web/console.log') ?? '';
    expect(consoleLog.length).toBeLessThan(1_100_000);
    expect(consoleLog.endsWith('the end\n')).toBe(true);
    expect(has.filter((name) => /stderr|folder|qcow2|sock/.test(name))).toEqual([]);
    const manifest = JSON.parse(files.get('manifest.json') ?? '');
    expect(manifest.missing).toContainEqual({
      name: 'vms/state/default/web/root.qcow2',
      why: 'it is no log and no record',
    });
    expect(manifest.files).toContainEqual(
      expect.objectContaining({ name: 'vms/run/default/web/console.log', cutFromBytes: expect.any(Number) }),
    );
    const again = await runCommandLine(args);
    expect(again.status).toBe(64);
    expect(again.stderr).toContain('there is a file of that name');
  });

  it('takes the folders of the daemon that answers, unless a configuration is named', async () => {
    const { dir, stateDir } = await plantedHost();
    const runDir = join(dir, 'run');
    const lifecycle = new FakeLifecycle();
    lifecycle.settings.push({ path: 'stateDir', value: stateDir, origin: 'default' });
    lifecycle.settings.push({ path: 'runDir', value: runDir, origin: 'default' });
    const { socket } = await serve({ lifecycle });
    const output = join(dir, 'out.tar.gz');
    const { stdout } = await runCommandLine(['must-gather', '-o', output, '--socket', socket, '--json']);
    const { from, missing } = JSON.parse(stdout);
    expect(from).toEqual({ configuration: '/etc/vmpulse/config.yaml', stateDir, runDir });
    expect(missing).toContainEqual({
      name: 'the configuration of the daemon that answers',
      why: expect.stringContaining(`its folders are ${stateDir} and ${runDir}, not those of`),
    });
    expect([...(await unpacked(output)).keys()]).toContain('vms/state/default/web/state.json');
  });

  it('works with no daemon: the journal comes from a copy of its file, which stays as it was', async () => {
    const { dir, config, stateDir } = await plantedHost();
    const path = join(stateDir, 'journal.db');
    const journal = await openJournal({ path });
    await journal.append([{ ...told, atMs: Date.now() - 1_000 }], { deadlineMs: 20_000 });
    await journal.close();
    const before = readFileSync(path);
    const output = join(dir, 'out.tar.gz');
    const socket = join(dir, 'none.sock');
    const { status, stdout } = await runCommandLine([
      ...['must-gather', '--output', output, '--config', config, '--socket', socket, '--json'],
    ]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout).missing).toContainEqual({
      name: 'daemon',
      why: expect.stringContaining('no daemon serves'),
    });
    const files = await unpacked(output);
    expect(leaks(files)).toEqual([]);
    expect(files.get('journal.jsonl')).toContain('exec for ann@1000');
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('takes a configuration that does not parse as it is, without its secrets', async () => {
    const { dir, config } = await plantedHost();
    const text = [
      'logLevel: debug',
      'notifications:',
      '  smtp:',
      '    host: mail.example.org',
      `    login: {user: ops, password: ${PLANTED.raw}}`,
      'api:',
      '  headers:',
      `  - name: X-Session`,
      `    value: ${PLANTED.bearer}`,
      `  token: |`,
      `    ${PLANTED.argument}`,
      'nonsense: [',
    ];
    put(config, text.join('\n'));
    const output = join(dir, 'out.tar.gz');
    const args = ['must-gather', '-o', output, '--config', config, '--socket', join(dir, 'none.sock')];
    expect((await runCommandLine(args)).status).toBe(0);
    const files = await unpacked(output);
    expect(leaks(files)).toEqual([]);
    const asItIs = (path: string) => files.get(join('configuration/as-it-is', path)) ?? '';
    expect(asItIs(config)).toContain(
      'logLevel: debug\nnotifications:\n  smtp:\n    host: mail.example.org\n',
    );
    expect(asItIs(config)).toContain('    login: {user: ops, password: [redacted]\n');
    expect(asItIs(config)).toContain('nonsense: [');
    expect(asItIs(join(dir, 'vms.d/web.yaml'))).toContain('kind: VirtualMachineHost');
    expect(JSON.parse(files.get('manifest.json') ?? '').missing).toContainEqual({
      name: 'configuration/effective.json',
      why: expect.stringContaining('config.yaml:'),
    });
  });

  it('takes documents that are not valid as they are', async () => {
    const { dir, config } = await plantedHost();
    const document = join(dir, 'vms.d/web.yaml');
    put(document, readFileSync(document, 'utf8').replace('level: auth', 'level: none'));
    const output = join(dir, 'out.tar.gz');
    const args = ['must-gather', '-o', output, '--config', config, '--socket', join(dir, 'none.sock')];
    expect((await runCommandLine(args)).status).toBe(0);
    const files = await unpacked(output);
    expect(leaks(files)).toEqual([]);
    expect(files.get(join('configuration/as-it-is', document))).toContain('level: none');
  });

  it('names what was not there in time, and packs the rest', async () => {
    const { dir, config } = await plantedHost();
    const daemon = await silentDaemon();
    const output = join(dir, 'out.tar.gz');
    const { status } = await runCommandLine([
      ...['must-gather', '-o', output, '--config', config, '--socket', daemon.socket, '--timeout', '8s'],
    ]);
    expect(status).toBe(0);
    const files = await unpacked(output);
    expect([...files.keys()]).toContain('versions.json');
    const { missing } = JSON.parse(files.get('manifest.json') ?? '');
    for (const name of ['daemon', 'journal', 'log', 'folders of VMs'])
      expect(missing).toContainEqual({ name, why: 'not all of it was there in time' });
  });

  it('leaves nothing when it is interrupted', async () => {
    const { dir, config } = await plantedHost();
    const daemon = await silentDaemon();
    const [output, temporary] = [join(dir, 'out.tar.gz'), testFolder()];
    const args = ['must-gather', '-o', output, '--config', config, '--socket', daemon.socket];
    const { child, ended } = startCli(args, { TMPDIR: temporary });
    await daemon.asked;
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ status: 1, stderr: expect.stringContaining('ERR_VMPULSE_ABORTED') });
    expect(existsSync(output)).toBe(false);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('leaves no half archive when it is interrupted while it packs', async () => {
    const { dir, config } = await plantedHost();
    const output = join(dir, 'out.tar.gz');
    const client = new DaemonClient({ socketPath: join(dir, 'none.sock') });
    const interrupted = new AbortController();
    const tell = (part: string) => {
      if (part === 'archive') interrupted.abort();
    };
    const call = { deadlineMs: 120_000, signal: interrupted.signal, tell };
    await expect(
      gather(output, { client, configPath: config, asksFolders: false, lastMs: 1_000 }, call),
    ).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ABORTED',
    });
    expect(existsSync(output)).toBe(false);
    await client.close();
  });
});

/** Takes connections and never answers. */
async function silentDaemon(): Promise<{ readonly socket: string; readonly asked: Promise<void> }> {
  const socket = join(testFolder(), 'silent.sock');
  const open = new Set<Socket>();
  const server = createServer();
  const asked = new Promise<void>((resolve) => {
    server.on('connection', (connection) => {
      open.add(connection);
      connection.on('error', () => {});
      connection.once('data', () => resolve());
    });
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  onTestFinished(() => {
    for (const connection of open) connection.destroy();
    server.close();
  });
  return { socket, asked };
}
