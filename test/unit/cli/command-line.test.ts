import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCommandLine } from './in-process.js';
import { runCli } from './run-cli.js';

const NO_SOCKET = join('/nonexistent', 'vmpulse.sock');

describe('help', () => {
  const commands = [
    [],
    ['run'],
    ['status'],
    ['explain'],
    ['reload'],
    ['apply'],
    ['gc'],
    ['recovery'],
    ['recovery', 'hold'],
    ['recovery', 'resume'],
    ['vm'],
    ['vm', 'list'],
    ['vm', 'get'],
    ['vm', 'create'],
    ['vm', 'logs'],
    ['vm', 'start'],
    ['vm', 'stop'],
    ['vm', 'restart'],
    ['vm', 'reset'],
    ['vm', 'pause'],
    ['vm', 'resume'],
    ['vm', 'snapshot'],
    ['vm', 'release'],
    ['node'],
    ['node', 'list'],
    ['vm', 'adopt'],
    ['vm', 'delete'],
    ['vm', 'recreate'],
    ['vm', 'maintenance'],
    ['vm', 'maintenance', 'begin'],
    ['vm', 'maintenance', 'end'],
    ['vm', 'schedule'],
    ['intent'],
    ['intent', 'list'],
    ['intent', 'clear'],
    ['maintenance'],
    ['maintenance', 'list'],
    ['maintenance', 'start'],
    ['maintenance', 'stop'],
    ['hooks'],
    ['hooks', 'list'],
    ['hooks', 'add'],
    ['hooks', 'add-global'],
    ['hooks', 'remove'],
    ['hooks', 'test'],
    ['hooks', 'logs'],
    ['token'],
    ['notify'],
    ['notify', 'list'],
    ['notify', 'add'],
    ['notify', 'remove'],
    ['notify', 'test'],
    ['autopilot'],
    ['autopilot', 'enable'],
    ['autopilot', 'disable'],
    ['autopilot', 'config'],
    ['autopilot', 'status'],
    ['policy'],
    ['policy', 'show'],
    ['network'],
    ['network', 'check'],
    ['network', 'repair'],
    ['security-group'],
    ['security-group', 'list'],
    ['security-group', 'add-rule'],
    ['security-group', 'remove-rule'],
    ['security-group', 'policy'],
    ['simulate'],
    ['probe'],
    ['bench'],
    ['journal'],
    ['journal', 'export'],
    ['config'],
    ['config', 'import'],
    ['config', 'show'],
    ['config', 'get'],
    ['config', 'set'],
    ['config', 'unset'],
    ['config', 'check'],
    ['metrics'],
    ['completion'],
    ['image'],
    ['must-gather'],
    ['discover'],
    ['doctor'],
  ];
  it.each(
    commands.map((command) => [command.join(' ') || 'vmpulse', command] as const),
  )('of %s has examples', async (_name, command) => {
    const { status, stdout, stderr } = await runCommandLine([...command, '--help']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(`Usage: ${['vmpulse', ...command].join(' ')}`);
    expect(stdout).toMatch(/\nExamples:\n {2}\$ vmpulse /);
  });

  it('is that of the program, not of a command that is named behind an option', async () => {
    const { stdout } = await runCommandLine(['--help']);
    for (const args of [['--help', 'status'], ['--socket', 'status', '--help'], ['help']])
      expect(await runCommandLine(args)).toMatchObject({ stdout, stderr: '' });
    const status = await runCommandLine(['status', '--help']);
    for (const args of [
      ['help', 'status'],
      ['--socket', 'explain', 'status', '--help'],
    ])
      expect(await runCommandLine(args)).toEqual(status);
  });

  it('covers every command that there is', async () => {
    const { stdout } = await runCommandLine(['--help']);
    const listed = [...stdout.matchAll(/^ {2}([a-z][a-z-]*)[ [].*$/gm)].map(([, name]) => name);
    const known = commands.map(([name]) => name).filter((name) => name !== undefined);
    expect(new Set(listed)).toEqual(new Set([...known, 'help']));
  });

  it('of probe lists the kinds with their targets', async () => {
    const { stdout } = await runCommandLine(['probe', '--help']);
    for (const kind of [
      'tcpSocket, tcp',
      'tcpHalfOpen, syn',
      'icmp, ping',
      'arp, arping',
      'ndp, ndisc',
      'httpGet, http, https',
      'guestAgentPing, qga',
      'vmState, vmstate, qmp',
      'vmmProcess, process',
    ]) {
      expect(stdout).toContain(`  ${kind}\n`);
    }
  });
});

describe('a command line that does not fit', () => {
  it.each([
    [['nonsense'], /unknown command 'nonsense'; see vmpulse --help/],
    [['statsu'], /unknown command 'statsu' \(Did you mean status\?\); see vmpulse --help/],
    [
      ['recovery', 'hold', '--reason', 'r', '--fro', '1m'],
      /'--fro' \(.*\); see vmpulse recovery hold --help/,
    ],
    [['status', '--nonsense'], /unknown option '--nonsense'/],
    [['explain'], /missing required argument 'vm'/],
    [['explain', 'a', 'b'], /too many arguments/],
    [['status', 'a/b/c'], /"a\/b\/c" is no VM/],
    [['status', '/web'], /"\/web" is no VM/],
    [['explain', 'a//b'], /is no VM/],
    [['recovery', 'hold'], /--reason/],
    [['recovery', 'hold', '--reason', 'r', '--for', 'soon'], /'soon' is invalid\. It is no time/],
    [['recovery', 'hold', '--reason', 'r', '--for', '0s'], /'0s' is invalid\. It is no time/],
    [['probe', 'tcp'], /missing required argument 'target'/],
    [['probe', 'pigeon', 'x'], /no probe kind "pigeon"; choose one of tcpSocket/],
    [['probe', 'tcp', '127.0.0.1'], /has no port/],
    [['probe', 'tcp', '127.0.0.1:80', '--method', 'HEAD'], /does not fit a tcpSocket probe/],
    [['probe', 'http', 'http://127.0.0.1/', '--header', 'nonsense'], /is not a header/],
    [['probe', 'http', 'http://127.0.0.1/', '--expect-status', '2xx'], /is not a status or a range/],
    [['probe', 'http', 'http://127.0.0.1/', '--expect-body', '('], /not a regular expression/],
    [['probe', 'http', 'http://127.0.0.1/', '--verify'], /needs TLS/],
    [['probe', 'http', 'http://127.0.0.1/', '--timeout', '-1s'], /no time|unknown option/],
    [['probe', 'http', 'http://127.0.0.1/', '--engine', 'steam'], /'steam' is invalid/],
    [['probe', 'process', '/nonexistent.pid'], /PID file .* cannot be read/],
  ])('%j is told and ends with 64', async (args, message) => {
    const { status, stdout, stderr } = await runCommandLine(args);
    expect({ status, stdout }).toEqual({ status: 64, stdout: '' });
    expect(stderr).toMatch(/^vmpulse: .* \[ERR_VMPULSE_USAGE\]\n$/);
    expect(stderr).toMatch(message);
  });

  it.each([[[]], [['recovery']], [['vm']], [['config']]])('%j shows help and ends with 64', async (args) => {
    const { status, stdout, stderr } = await runCommandLine(args);
    expect({ status, stdout }).toEqual({ status: 64, stdout: '' });
    expect(stderr).toMatch(/^Usage: vmpulse/);
  });

  it('keeps control characters of what was typed off the terminal', async () => {
    const { stderr } = await runCommandLine(['probe', '\u001b[2J', 'x']);
    expect(stderr).toContain('\\u001b[2J');
  });
});

describe('a daemon that is not there', () => {
  it.each([
    [['status']],
    [['explain', 'web']],
    [['reload']],
    [['recovery', 'resume']],
    [['vm', 'release', 'web']],
    [['status', '--watch']],
  ])('%j ends with 69 and the remedy', async (args) => {
    const { status, stdout, stderr } = await runCommandLine([...args, '--socket', NO_SOCKET]);
    expect({ status, stdout }).toEqual({ status: 69, stdout: '' });
    expect(stderr).toBe(
      `vmpulse: no daemon serves ${NO_SOCKET}: there is no such socket; start it with vmpulse run, or name its socket ` +
        'with --socket or VMPULSE_SOCKET [ERR_VMPULSE_DAEMON_UNREACHABLE]\n',
    );
  });
});

it('a path that is no socket is said to be none', async () => {
  const { status, stderr } = await runCommandLine(['status', '--socket', '/proc']);
  expect(status).toBe(69);
  expect(stderr).toBe(
    "vmpulse: /proc is no socket; name the daemon's with --socket [ERR_VMPULSE_DAEMON_UNREACHABLE]\n",
  );
});

describe('the built program', () => {
  it('has a shebang, tells its version and its errors, and takes its socket from the environment', async () => {
    expect(await runCli(['--version'])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      stderr: '',
    });
    const away = await runCli(['status'], { VMPULSE_SOCKET: NO_SOCKET });
    expect(away).toMatchObject({ status: 69, stdout: '', stderr: expect.stringContaining(NO_SOCKET) });
    expect(away.stderr.split('\n')).toHaveLength(2);
  });

  it('shows where an error came from with --debug only', async () => {
    const { status, stderr } = await runCli(['status', '--debug', '--socket', NO_SOCKET]);
    expect(status).toBe(69);
    expect(stderr).toMatch(/\[ERR_VMPULSE_DAEMON_UNREACHABLE\]\n.*\n\s+at /s);
    expect(stderr).toContain('ENOENT');
  });
});
