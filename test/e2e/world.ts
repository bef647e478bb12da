import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { CLI } from '../../demo/cli.mjs';
import { createWorld, destroyWorld } from '../../demo/world.mjs';
import { LAB_GUEST, labAvailable } from '../../lab/vm.mjs';
import type { ExplainView, HostView, VmView } from '../../src/runtime/views.js';
import { poll } from '../lab/poll.js';

export type World = Awaited<ReturnType<typeof createWorld>>;

export const MINUTE = 60_000;

const BOOT_ID = z.object({ bootId: z.string() });

export interface WorldOptions {
  /** Changes what the daemon will find, before it starts. */
  readonly prepare?: (world: World) => void | Promise<void>;
  /** Program and arguments under which the daemon runs; it must become the daemon by exec. */
  readonly under?: readonly string[];
}

/** A daemon on real VMs in a folder of its own, ended and removed by dispose(). */
export class DaemonUnderTest {
  readonly world: World;
  readonly #under: readonly string[];
  daemon: ChildProcess;

  private constructor(world: World, under: readonly string[]) {
    this.world = world;
    this.#under = under;
    this.daemon = this.#start();
  }

  static async create(names: string[], { prepare, under = [] }: WorldOptions = {}): Promise<DaemonUnderTest> {
    const lab = labAvailable();
    if (!lab.ok) throw new Error(lab.reason);
    const world = await createWorld(lab, names);
    await prepare?.(world);
    return new DaemonUnderTest(world, under);
  }

  /** A daemon on a world that the test has made itself. */
  static run(world: World): DaemonUnderTest {
    return new DaemonUnderTest(world, []);
  }

  /** Resolves once every VM is healthy; rejects when the daemon ends before. */
  async allHealthy(): Promise<void> {
    await poll('every VM healthy', 2 * MINUTE, async () => {
      if (this.daemon.exitCode !== null) return true;
      const { vms } = await this.status();
      return (
        (vms.length === this.world.vms.length && vms.every(({ health }) => health === 'healthy')) || undefined
      );
    });
    if (this.daemon.exitCode !== null) throw new Error(`the daemon ended: ${this.log().slice(-2_000)}`);
  }

  status(): Promise<HostView> {
    return this.#get('/v1/status');
  }

  /** One VM as status shows it, by its name. */
  vm(name: string): Promise<VmView> {
    return this.#get(`/v1/status/${name}`);
  }

  explain(name: string): Promise<ExplainView> {
    return this.#get(`/v1/explain/${name}`);
  }

  /** The VM in status, once it is as wanted. */
  vmOnce(what: string, name: string, isSo: (vm: VmView) => boolean, deadlineMs = MINUTE): Promise<VmView> {
    return poll(`${name} ${what}`, deadlineMs, async () => {
      const vm = await this.vm(name);
      return isSo(vm) ? vm : undefined;
    });
  }

  /** The explanation of a VM, once it is as wanted. */
  explainedOnce(
    what: string,
    name: string,
    isSo: (explanation: ExplainView) => boolean,
    deadlineMs = MINUTE,
  ): Promise<ExplainView> {
    return poll(`${name} ${what}`, deadlineMs, async () => {
      const explanation = await this.explain(name);
      return isSo(explanation) ? explanation : undefined;
    });
  }

  /** The boot of a guest, by a request past the daemon. */
  async bootId(name: string): Promise<string> {
    return BOOT_ID.parse(JSON.parse(await this.#askGuest(name, LAB_GUEST.bootIdPath))).bootId;
  }

  /** Has the guest do something to itself; lab/guest/www/cgi-bin/fault has the names. */
  async fault(name: string, fault: string): Promise<void> {
    await this.#askGuest(name, `${LAB_GUEST.faultPath}?do=${fault}`);
  }

  /** What a person sees of a command, and its exit status. */
  cli(...args: string[]): { status: number; output: string } {
    try {
      const output = execFileSync(process.execPath, [CLI, '--socket', this.world.socket, ...args], {
        encoding: 'utf8',
        stdio: 'pipe',
      });
      return { status: 0, output };
    } catch (error) {
      const failed = error as { status: number; stdout: string; stderr: string };
      return { status: failed.status, output: `${failed.stdout}${failed.stderr}` };
    }
  }

  /** Resolves once the daemon answers. */
  async ready(): Promise<void> {
    await poll('the daemon answers', MINUTE, () => this.status().catch(() => undefined));
  }

  /** Gives a command and does not wait for it; resolves when it has ended, however that was. */
  give(...args: string[]): Promise<void> {
    const child = spawn(process.execPath, [CLI, ...args, '--socket', this.world.socket], { stdio: 'ignore' });
    return new Promise((resolve) => child.once('exit', () => resolve()));
  }

  /** SIGKILL, as a crash; the VMs go on. */
  async crash(): Promise<void> {
    const ended = this.#ended();
    this.daemon.kill('SIGKILL');
    await ended;
  }

  /** SIGTERM, and how it ended; rejects when it does not in time. */
  async terminate(deadlineMs: number): Promise<{ code: number | null; tookMs: number }> {
    const startedMs = Date.now();
    const ended = this.#ended();
    this.daemon.kill('SIGTERM');
    const late = AbortSignal.timeout(deadlineMs);
    return new Promise((resolve, reject) => {
      late.addEventListener('abort', () => reject(new Error(`the daemon still runs after ${deadlineMs} ms`)));
      void ended.then((code) => resolve({ code, tookMs: Date.now() - startedMs }));
    });
  }

  restart(): void {
    this.daemon = this.#start();
  }

  log(): string {
    return readFileSync(join(this.world.dir, 'daemon.log'), 'utf8');
  }

  /** Resolves as soon as the log has the text once more than now. */
  async logged(text: string): Promise<void> {
    const count = () => this.log().split(text).length;
    const before = count();
    const endMs = Date.now() + 2 * MINUTE;
    // Looked at often, to find the daemon in the middle of it.
    while (count() === before) {
      if (Date.now() > endMs) throw new Error(`not in the log within two minutes: ${text}`);
      await delay(2);
    }
  }

  dispose(): Promise<void> {
    return destroyWorld(this.world, this.daemon);
  }

  async #askGuest(name: string, path: string): Promise<string> {
    const vm = this.world.vms.find((candidate) => candidate.name === name);
    // No connection is kept: the guest may be another boot by the next request.
    const headers = { connection: 'close' };
    const response = await fetch(`${vm?.url}${path}`, { headers, signal: AbortSignal.timeout(5_000) });
    if (response.status !== 200) throw new Error(`${name}${path}: status ${response.status}`);
    return response.text();
  }

  /** Straight from the API: a command line for every look would cost more than the daemon. */
  #get<T>(path: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const { socket: socketPath } = this.world;
      // No connection is kept: one that the daemon closes while a test waits for a program would be used again.
      get({ socketPath, path, timeout: 10_000, agent: false }, (response) => {
        text(response).then((body) => {
          if (response.statusCode === 200) resolve(JSON.parse(body));
          else reject(new Error(`${path}: ${response.statusCode} ${body}`));
        }, reject);
      }).once('error', reject);
    });
  }

  #ended(): Promise<number | null> {
    return new Promise((resolve) => this.daemon.once('exit', resolve));
  }

  #start(): ChildProcess {
    const [program = '', ...args] = [
      ...this.#under,
      process.execPath,
      CLI,
      'run',
      '--config',
      this.world.config,
    ];
    const log = openSync(join(this.world.dir, 'daemon.log'), 'a');
    const child = spawn(program, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    return child;
  }
}

/** Sets fields of a VM's host document, by their path below `spec`. */
export function configureVm(world: World, name: string, fields: Readonly<Record<string, unknown>>): void {
  const path = join(world.dir, 'vms.d', `${name}.yaml`);
  const documents = parseAllDocuments(readFileSync(path, 'utf8'));
  const host = documents.find((document) => document.get('kind') === 'VirtualMachineHost');
  if (!host) throw new Error(`${path} has no host document`);
  for (const [field, value] of Object.entries(fields)) {
    host.setIn(['spec', ...field.split('.')], host.createNode(value));
  }
  writeFileSync(path, documents.map(String).join(''));
}
