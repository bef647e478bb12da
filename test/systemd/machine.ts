import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestContext } from 'vitest';
import { systemdObstacle } from '../../lab/systemd.mjs';
import { poll } from '../lab/poll.js';

const BOOT = fileURLToPath(new URL('boot.sh', import.meta.url));
const NAMESPACES = ['--mount', '--pid', '--net', '--ipc', '--uts'];
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const BOOT_MS = 120_000;
const COMMAND_MS = 120_000;
/** Hierarchies of control groups of version 1 that systemd uses, besides the two of its own. */
const CONTROLLERS = ['cpu', 'cpuacct', 'memory', 'pids', 'devices', 'systemd', 'unified'];

export interface Ran {
  readonly status: number;
  /** stdout and stderr. */
  readonly output: string;
}

/** Skips the test, with the reason, where systemd cannot be run. */
export function needsSystemd(context: TestContext): void {
  const obstacle = systemdObstacle();
  if (obstacle !== undefined) context.skip(obstacle);
}

/**
 * A container with systemd as PID 1, made of namespaces: it has this host's files, and keeps what it writes to itself, in
 * memory. Its network is a loopback device. Everything in it ends with dispose(), or with this process.
 */
export class SystemdMachine {
  readonly #folder: string;
  readonly #groups: readonly string[];
  readonly #outer: ChildProcess;
  readonly #init: number;

  private constructor(folder: string, groups: readonly string[], outer: ChildProcess, init: number) {
    this.#folder = folder;
    this.#groups = groups;
    this.#outer = outer;
    this.#init = init;
  }

  /** Resolves once systemd has started what belongs to a machine without services. */
  static async boot(): Promise<SystemdMachine> {
    const folder = mkdtempSync(join(tmpdir(), 'vmp-systemd-'));
    const groups = controlGroups(`vmpulse-test-${process.pid}-${Date.now()}`);
    for (const group of groups) mkdirSync(group);
    const args = ['--pdeathsig', 'KILL', 'unshare', ...NAMESPACES, '--fork', '--kill-child', BOOT, folder];
    const outer = spawn('setpriv', [...args, ...groups], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    outer.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const init = await poll('a process in the container', BOOT_MS, () => childOf(outer.pid ?? 0));
    const machine = new SystemdMachine(folder, groups, outer, init);
    try {
      await poll('systemd has started', BOOT_MS, () => {
        if (outer.exitCode !== null || outer.signalCode !== null) return true;
        const { output } = machine.try('systemctl', 'is-system-running');
        return /^(running|degraded)$/m.test(output) || undefined;
      });
      if (outer.exitCode !== null)
        throw new Error(`the container ended with status ${outer.exitCode}: ${said}`);
      // The end of start-up: logins are permitted.
      machine.run('systemctl', 'start', 'systemd-user-sessions.service');
      return machine;
    } catch (error) {
      await machine.dispose();
      throw error;
    }
  }

  /** Output of a command in it. Throws, with what it said, unless it ends with status 0. */
  run(...argv: string[]): string {
    const { status, output } = this.try(...argv);
    if (status !== 0) throw new Error(`${argv.join(' ')}: status ${status}: ${output.trim()}`);
    return output;
  }

  try(...argv: string[]): Ran {
    return this.#exec(argv, '');
  }

  read(path: string): string {
    return this.run('cat', path);
  }

  /** Writes a file; folders are made. */
  write(path: string, content: string | Buffer, mode = '0644'): void {
    const script = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"';
    const { status, output } = this.#exec(['sh', '-c', script, 'sh', path, mode], content);
    if (status !== 0) throw new Error(`${path}: ${output}`);
  }

  /** What the journal has of a unit. */
  log(unit: string): string {
    return this.run('journalctl', '--no-pager', '--output=cat', '--unit', unit);
  }

  /** One property of a unit, as systemd shows it. */
  property(unit: string, name: string): string {
    return this.run('systemctl', 'show', unit, '--property', name, '--value').trim();
  }

  async dispose(): Promise<void> {
    const ended = new Promise((resolve) => this.#outer.once('exit', resolve));
    if (this.#outer.exitCode === null && this.#outer.signalCode === null) {
      // The first process of a PID namespace takes all others with it.
      process.kill(this.#init, 'SIGKILL');
      await ended;
    }
    for (const group of this.#groups)
      await poll(`${group} removed`, COMMAND_MS, () => {
        removeGroup(group);
        return true;
      });
    rmSync(this.#folder, { recursive: true });
  }

  #exec([program = '', ...args]: string[], input: string | Buffer): Ran {
    const into = ['--target', String(this.#init), ...NAMESPACES, '--cgroup', '--wdns=/'];
    const clean = ['env', '-i', `PATH=${PATH}`, 'LANG=C.UTF-8', 'SYSTEMD_COLORS=0', 'SYSTEMD_PAGER='];
    try {
      const output = execFileSync(
        'nsenter',
        [...into, 'sh', '-c', 'exec "$@" 2>&1', 'sh', ...clean, program, ...args],
        { encoding: 'utf8', input, timeout: COMMAND_MS, maxBuffer: 64 << 20 },
      );
      return { status: 0, output };
    } catch (error) {
      const failed = error as { status: number | null; stdout?: string; message: string };
      return { status: failed.status ?? -1, output: failed.stdout ?? failed.message };
    }
  }
}

/** Folders for the control groups of a container, one a hierarchy. */
function controlGroups(name: string): string[] {
  const root = '/sys/fs/cgroup';
  if (existsSync(join(root, 'cgroup.controllers'))) return [join(root, name)];
  // Below those of this process, so that its limits hold for the container.
  const own = readFileSync('/proc/self/cgroup', 'utf8');
  return CONTROLLERS.filter((each) => existsSync(join(root, each, 'cgroup.procs'))).map((each) => {
    const key = each === 'systemd' ? 'name=systemd' : each === 'unified' ? '' : each;
    const path = new RegExp(`^\\d+:${key}:(.*)$`, 'm').exec(own)?.[1] ?? '/';
    return join(root, each, path, name);
  });
}

function removeGroup(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroup(join(path, entry.name));
  rmdirSync(path);
}

function childOf(pid: number): number | undefined {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return child === undefined || child === '' ? undefined : Number(child);
}
