import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Daemon } from '../../../src/daemon/daemon.js';
import { runCommandLine } from './in-process.js';

const page = readFileSync(new URL('../../../docs/guides/migrating-from-seeds.md', import.meta.url), 'utf8');

interface Row {
  readonly system: string;
  readonly theirs: string;
  readonly command: string;
}

/** Rows of all tables; a `|` within a cell is written with a backslash. */
const rows: readonly Row[] = page.split(/^## /m).flatMap((section) => {
  const system = section.split('\n')[0] ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| \S+.* \| vmpulse \|/.test(line))
    .map((line) => {
      const [, theirs = '', ours = ''] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
      return { system, theirs, command: /^`(.*)`$/.exec(ours)?.[1] ?? '' };
    });
});

/** What would start or end something on this host is only asked for. */
const TOUCHES =
  /^vmpulse (vm (start|stop|restart|pause|delete|recreate|exec|exec-batch)|network repair|gc)\b/;
/** What cannot be of a VM that does not run; the daemon says so. */
const NEEDS_RUNNING = /^vmpulse vm (stats|resize|console)\b/;
/** Tells by its status that the host has faults. */
const TELLS_FAULTS = /^vmpulse (doctor|network repair)\b/;

const VM = `apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: myvm, labels: {web: 'yes'}}
spec: {runStrategy: Manual, template: {spec: {}}}
---
apiVersion: vmpulse.dev/v1
kind: VirtualMachineHost
metadata: {name: myvm}
spec:
  address: 192.0.2.10
  hypervisor: {qemu: {memory: 128Mi, extraArgs: [-nodefaults]}}
  probes: [{name: web, tcpSocket: {port: 80}}]
`;

/** The words of a command line, as a shell has them. */
function words(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? '');
}

/** What follows `vmpulse`, with the files of the test, and only asked for where it would touch something. */
function argumentsOf(command: string): string[] {
  const line = words(command)
    .slice(1)
    .map((word) =>
      /^[a-z-]+\.[a-z]+$/.test(word) && existsSync(join(folder, word)) ? join(folder, word) : word,
    );
  if (!TOUCHES.test(command)) return line;
  const dashes = line.indexOf('--');
  return line.toSpliced(dashes < 0 ? line.length : dashes, 0, '--dry-run');
}

const run = (...args: string[]) =>
  runCommandLine(args, { environment: { socketPath: daemon.config.socketPath } });

let daemon: Daemon;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vmpulse-migrating-'));
  const file = (name: string, text: string) => writeFileSync(join(folder, name), text);
  mkdirSync(join(folder, 'vms'));
  file('here.yaml', VM);
  file('vm.yaml', VM.replaceAll('myvm', 'other'));
  file(
    'annotated.yaml',
    VM.replaceAll('myvm', 'kept').replace(
      'labels',
      'annotations: {platform.kubevirt.io/mode: unmanaged}, labels',
    ),
  );
  file(
    'plan.json',
    JSON.stringify({
      idempotency_key: 'k',
      actions: [{ operation_id: 'o', operation: 'STOP', vm_id: 'myvm' }],
    }),
  );
  file('install-agent.sh', '#!/bin/sh\n');
  copyFileSync(new URL('../../config/import/myvm.yaml', import.meta.url), join(folder, 'myvm.yaml'));
  file(
    'config.yaml',
    `stateDir: ${folder}/state\nrunDir: ${folder}/run\nmanifests: [vms]\nlogLevel: silent\nengine: {backend: portable}\n`,
  );
  daemon = await Daemon.start({ configPath: join(folder, 'config.yaml') });
  const told = await run('apply', '-f', join(folder, 'here.yaml'));
  if (told.status !== 0) throw new Error(told.stderr);
}, 120_000);
// Its log is not the test's.
afterEach(() => run('config', 'unset', 'logLevel'));
afterAll(async () => {
  await daemon?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('docs/guides/migrating-from-seeds.md', () => {
  it('has rows of all five systems, each with a command', () => {
    expect(new Set(rows.map(({ system }) => system)).size).toBe(5);
    expect(rows.length).toBeGreaterThan(50);
    for (const { theirs, command } of rows) expect(command, theirs).toMatch(/^vmpulse /);
  });

  it.each(rows)('$command', { timeout: 60_000 }, async ({ command }) => {
    const told = await run(...argumentsOf(command));
    if (NEEDS_RUNNING.test(command)) {
      expect(told.stderr).toMatch(/ERR_VMPULSE_(VM_NOT_RUNNING|UNSUPPORTED|USAGE)/);
      expect(told.stderr).not.toMatch(/unknown option|too many arguments|--help/);
    } else if (TELLS_FAULTS.test(command)) expect(told.status, told.stderr).not.toBe(64);
    else expect(told).toMatchObject({ status: 0, stderr: expect.not.stringContaining('ERR_') });
  });

  it.each([
    [
      '--notify-email ops@example.com',
      /--notify-email is a channel of the daemon; add it with vmpulse notify add/,
    ],
    ['--cleanup-threshold 75', /--cleanup-threshold has no counterpart/],
    [
      '--debug-logging true',
      /--debug-logging is of the daemon; set it with vmpulse config set logLevel debug/,
    ],
    ['--maintenance-window-start 02:00', /--maintenance-window-start is half a window/],
    ['--health-interval 1.5m', /--health-interval is no time in whole seconds/],
    ['--ssh-check maybe', /'maybe' is invalid\. Write true or false/],
  ])('autopilot config %s is refused with what to do instead', async (option, message) => {
    const told = await run('autopilot', 'config', 'myvm', ...words(option));
    expect(told).toMatchObject({ status: 64, stdout: '', stderr: expect.stringMatching(message) });
  });

  it('vm update refuses what it cannot tell', async () => {
    expect((await run('vm', 'update', 'myvm')).stderr).toMatch(/nothing is to be changed; give one of/);
    const tcp = await run('vm', 'update', 'myvm', '--health-check-type', 'tcp');
    expect(tcp).toMatchObject({ status: 64, stderr: expect.stringMatching(/of type tcp needs a port/) });
    const late = await run('vm', 'update', 'myvm', '--health-check-timeout', '1d');
    expect(late).toMatchObject({
      status: 78,
      stderr: expect.stringMatching(/must be shorter than the period/),
    });
  });
});
