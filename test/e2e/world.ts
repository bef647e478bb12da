import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { vmpulse } from '../../demo/cli.mjs';
import { allHealthy, createWorld, destroyWorld, startDaemon } from '../../demo/world.mjs';
import { labAvailable } from '../../lab/vm.mjs';
import type { ExplainView, HostView } from '../../src/runtime/views.js';

export type World = Awaited<ReturnType<typeof createWorld>>;

/** A daemon on real VMs in a folder of its own, ended and removed by dispose(). */
export class DaemonUnderTest {
  readonly world: World;
  daemon: ChildProcess;

  private constructor(world: World) {
    this.world = world;
    this.daemon = startDaemon(world);
  }

  /** `configure` may change the daemon's configuration before it starts. */
  static async create(names: string[], configure: (config: Record<string, unknown>) => void = () => {}) {
    const lab = labAvailable();
    if (!lab.ok) throw new Error(lab.reason);
    const world = await createWorld(lab, names);
    const config = parse(readFileSync(world.config, 'utf8'));
    configure(config);
    writeFileSync(world.config, stringify(config));
    return new DaemonUnderTest(world);
  }

  allHealthy(): Promise<void> {
    return allHealthy(this.world, this.daemon, new AbortController().signal);
  }

  status(): Promise<HostView> {
    return vmpulse(this.world, 'status');
  }

  explain(vm: string): Promise<ExplainView> {
    return vmpulse(this.world, 'explain', vm);
  }

  /** SIGKILL, as a crash; the VMs go on. */
  async crash(): Promise<void> {
    const ended = new Promise((resolve) => this.daemon.once('exit', resolve));
    this.daemon.kill('SIGKILL');
    await ended;
  }

  restart(): void {
    this.daemon = startDaemon(this.world);
  }

  log(): string {
    return readFileSync(join(this.world.dir, 'daemon.log'), 'utf8');
  }

  dispose(): Promise<void> {
    return destroyWorld(this.world, this.daemon);
  }
}
