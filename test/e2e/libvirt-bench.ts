import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ProbeEngine } from '../../src/engine/index.js';
import type { LibvirtDriver, LibvirtSession } from '../../src/hypervisors/libvirt/index.js';
import { livingState } from '../../src/hypervisors/process.js';
import { createDrivers } from '../../src/hypervisors/registry.js';
import type { LibvirtSpec } from '../../src/model/hypervisors/libvirt.js';
import type { ProcessIdentity, VmSpec } from '../../src/model/vm.js';
import { WorkerPool } from '../../src/pool/index.js';
import { vmStorage } from '../../src/runtime/storage/vm-storage.js';
import { testVm } from '../unit/qemu/fixtures.js';
import { type LibvirtdOptions, PrivateLibvirtd } from './libvirtd.js';

export const SOON = { deadlineMs: 30_000 };
/** Before its first domain libvirt asks each QEMU that is installed what it can. */
const START = { deadlineMs: 200_000 };

/** The libvirt driver against a libvirtd of its own, in a folder of its own. */
export class LibvirtBench {
  readonly folder = mkdtempSync(join(tmpdir(), 'vmp-v-'));
  readonly libvirtd: PrivateLibvirtd;
  readonly driver: LibvirtDriver;
  readonly #engine = new ProbeEngine();
  readonly #pool = new WorkerPool();

  constructor(options: LibvirtdOptions = {}) {
    // QEMUs of another user go through it; what is in it they do not see.
    chmodSync(this.folder, 0o711);
    this.libvirtd = new PrivateLibvirtd(this.folder, options);
    this.driver = createDrivers({
      runDir: join(this.folder, 'run'),
      stateDir: this.stateDir,
      lockDir: join(this.folder, 'lock'),
      searchPath: process.env.PATH ?? '',
      engine: this.#engine,
      pool: this.#pool,
      storage: vmStorage(this.stateDir),
    }).libvirt;
  }

  get stateDir(): string {
    return join(this.folder, 'state');
  }

  /** Firmware without a disk, which goes on looking for one, unless it is told otherwise. */
  vm(name: string, changes: Partial<LibvirtSpec> = {}): VmSpec<LibvirtSpec> {
    const hypervisor: LibvirtSpec = {
      driver: 'libvirt',
      uri: this.libvirtd.uri,
      binary: 'qemu-system-x86_64',
      architecture: 'x86_64',
      machine: 'pc',
      accel: 'tcg',
      memoryMiB: 64,
      vcpus: 1,
      disks: [],
      interfaces: [],
      guestAgent: false,
      pvpanic: false,
      extraArgs: [],
      ...changes,
    };
    const id = `e2e/${name}`;
    return { ...testVm({}, { id, namespace: 'e2e', name, uuid: crypto.randomUUID() }), hypervisor };
  }

  /** Started, and ended with the test. */
  async run(vm: VmSpec): Promise<{ readonly started: ProcessIdentity; readonly session: LibvirtSession }> {
    const started = await this.driver.start(vm, START);
    onTestFinished(() => {
      if (livingState(started) !== undefined) process.kill(started.pid, 'SIGKILL');
    });
    const session = await this.driver.attach(vm, started, SOON);
    onTestFinished(() => session.detach());
    return { started, session };
  }

  async close(): Promise<void> {
    await this.libvirtd.end();
    await this.#engine.close();
    await this.#pool.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
