import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLI } from '../../demo/cli.mjs';
import type { HostView } from '../../src/runtime/views.js';
import { needsLab } from '../lab/availability.js';
import { poll } from '../lab/poll.js';
import { MINUTE } from './world.js';

/**
 * A host of its own as far as processes go: what is found must be this test's, and monitors of others on this machine
 * must not be taken.
 */
class Host {
  readonly dir = mkdtempSync(join(tmpdir(), 'vmpulse-host-'));
  readonly #init: ChildProcess;

  constructor() {
    const sleep = ['sleep', 'infinity'];
    this.#init = spawn('unshare', ['--pid', '--mount-proc', '--fork', '--kill-child', ...sleep], {
      stdio: 'ignore',
    });
  }

  /** Resolves when it is there. */
  async ready(): Promise<void> {
    await poll('namespace', MINUTE, () => this.#first() || undefined);
  }

  /** Runs something in it and leaves it running. */
  start(...argv: readonly string[]): ChildProcess {
    return spawn('nsenter', [...this.#enter(), ...argv], { stdio: 'ignore', env: ENV });
  }

  vmpulse(...args: readonly string[]): { status: number; output: string } {
    const argv = [process.execPath, CLI, ...args, '--socket', join(this.dir, 'run/vmpulse.sock')];
    try {
      const output = execFileSync('nsenter', [...this.#enter(), ...argv], {
        encoding: 'utf8',
        stdio: 'pipe',
        env: ENV,
      });
      return { status: 0, output };
    } catch (error) {
      const failed = error as { status: number; stdout: string; stderr: string };
      return { status: failed.status, output: `${failed.stdout}${failed.stderr}` };
    }
  }

  /** The VM in status, once it is as wanted. */
  vmOnce(name: string, isSo: (vm: HostView['vms'][number]) => boolean): Promise<HostView['vms'][number]> {
    return poll(`${name} as wanted`, 2 * MINUTE, () => {
      const { status, output } = this.vmpulse('status', '--json');
      if (status !== 0) return undefined;
      const { vms }: HostView = JSON.parse(output);
      return vms.find((vm) => vm.id === `default/${name}` && isSo(vm));
    });
  }

  dispose(): void {
    this.#init.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }

  #enter(): string[] {
    return ['--target', this.#first(), '--pid', '--mount', '--'];
  }

  /** Its first process, which ends it. */
  #first(): string {
    const { pid } = this.#init;
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  }
}

const { VMPULSE_SOCKET: _socket, NOTIFY_SOCKET: _notify, ...ENV } = process.env;

let host: Host | undefined;

beforeEach((context) => {
  needsLab(context);
  if (process.geteuid?.() !== 0) context.skip('needs root, for a PID namespace of its own');
  if (existsSync('/etc/vmpulse/config.yaml')) context.skip('this host has a configuration');
});

afterEach(() => {
  host?.dispose();
  host = undefined;
});

function qemu(on: Host, name: string): ChildProcess {
  const socket = join(on.dir, `${name}.qmp`);
  const args = `-name guest=${name} -M none -m 32 -display none -nodefaults -qmp unix:${socket},server=on,wait=off`;
  return on.start('qemu-system-x86_64', ...args.split(' '));
}

describe('a start with no configuration', () => {
  it('watches what it finds, and never acts', { timeout: 6 * MINUTE }, async () => {
    host = new Host();
    await host.ready();
    qemu(host, 'first');
    // What only calls itself so has no sockets and is observed.
    const idle = `exec -a firecracker ${process.execPath} -e 'setInterval(() => {}, 60000)' -- --id fc`;
    host.start('bash', '-c', idle);
    await poll('first VMM', MINUTE, () => host?.vmpulse('discover', 'first').status === 0 || undefined);

    host.start(
      process.execPath,
      CLI,
      'run',
      '--state-dir',
      join(host.dir, 'state'),
      '--run-dir',
      join(host.dir, 'run'),
    );
    const watched = await host.vmOnce(
      'first',
      ({ probes }) => probes.find(({ kind }) => kind === 'vmState')?.state === 'ok',
    );
    expect(watched.health).toBe('healthy');
    expect(watched).toMatchObject({ recoveryEnabled: false, runStrategy: 'Manual' });

    const observed = await host.vmOnce('fc', ({ health }) => health === 'healthy');
    expect(observed.probes.map(({ kind }) => kind)).toEqual(['vmmProcess']);

    // Others come and go meanwhile.
    qemu(host, 'second');
    await host.vmOnce('second', ({ health }) => health === 'healthy');
    host.start('kill', '-KILL', String(watched.vmm?.pid));
    await host.vmOnce('first', ({ health }) => health === 'stopped');
    expect(host.vmpulse('vm', 'adopt', 'second')).toEqual({
      status: 0,
      output: 'default/second is adopted, observe only; vmpulse status default/second shows it\n',
    });
    expect(existsSync(join(host.dir, 'state/documents'))).toBe(true);
    const after = await host.vmOnce('second', ({ health }) => health === 'healthy');
    expect(after.recoveryEnabled).toBe(false);
    const { vms }: HostView = JSON.parse(host.vmpulse('status', '--json').output);
    expect(vms.filter(({ id }) => id.startsWith('default/second'))).toHaveLength(1);
  });
});
