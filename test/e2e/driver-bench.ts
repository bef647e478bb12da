import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { LAB_GUEST, labAvailable, labKernelLine } from '../../lab/vm.mjs';
import { ProbeEngine } from '../../src/engine/index.js';
import { nativeHost } from '../../src/hypervisors/native-host.js';
import { livingState } from '../../src/hypervisors/process.js';
import { QemuDriver, type QemuSession } from '../../src/hypervisors/qemu/index.js';
import type { QemuSpec } from '../../src/model/hypervisors/qemu.js';
import type { VmmEvent } from '../../src/model/ports.js';
import type { ProcessIdentity, VmSpec } from '../../src/model/vm.js';
import { WorkerPool } from '../../src/pool/index.js';
import { freePort } from '../fixtures/ports.js';
import { poll } from '../lab/poll.js';
import { testVm } from '../unit/qemu/fixtures.js';

export const SOON = { deadlineMs: 20_000 };
/** From reset to a guest whose services all run; generous, as two shared cores translate it. */
export const BOOT_MS = 90_000;
export const WATCHDOG_SECONDS = 4;

const BOOT_ID = z.object({ bootId: z.string() });

/** The driver on the real engine, kernel addon and pool, in a folder of its own, with lab guests to drive. */
export class DriverBench {
  readonly folder = mkdtempSync(join(tmpdir(), 'vmp-e2e-'));
  readonly engine = new ProbeEngine();
  readonly pool = new WorkerPool();
  readonly #started = new Set<ProcessIdentity>();

  readonly options = {
    runDir: join(this.folder, 'run'),
    stateDir: join(this.folder, 'state'),
    lockDir: join(this.folder, 'lock'),
  };

  /** A new driver knows nothing of what an earlier one did, as after a restart of the daemon. */
  newDriver(): QemuDriver {
    return new QemuDriver(nativeHost(this.engine, this.pool), this.options);
  }

  /** A lab guest as the driver starts it. */
  async vm(name: string, hypervisor: Partial<QemuSpec> = {}): Promise<VmSpec> {
    const lab = labAvailable();
    if (!lab.ok) throw new Error(lab.reason);
    const forward = { hostAddress: '127.0.0.1', hostPort: await freePort(), guestPort: LAB_GUEST.httpPort };
    const guest: Partial<QemuSpec> = {
      machine: 'q35,smm=off,hpet=off',
      memoryMiB: LAB_GUEST.memoryMib,
      kernel: {
        image: lab.kernel,
        initrd: lab.initrd,
        append: labKernelLine({ watchdogSeconds: WATCHDOG_SECONDS }),
      },
      interfaces: [{ type: 'user', forwards: [forward] }],
      watchdog: { name: 'dog', model: 'i6300esb', action: 'pause' },
      ...hypervisor,
    };
    return testVm(guest, { id: `e2e/${name}`, namespace: 'e2e', name, uuid: crypto.randomUUID() });
  }

  async start(driver: QemuDriver, vm: VmSpec): Promise<ProcessIdentity> {
    const process = await driver.start(vm, SOON);
    this.track(process);
    return process;
  }

  /** A session that is let go at the end of the test. */
  async attached(driver: QemuDriver, vm: VmSpec): Promise<QemuSession> {
    const look = await driver.look(vm, SOON);
    if (!look.running) throw new Error(`${vm.id} does not run`);
    const session = await driver.attach(vm, look.process, SOON);
    onTestFinished(() => session.detach());
    return session;
  }

  /** Killed at the end. */
  track(process: ProcessIdentity): void {
    this.#started.add(process);
  }

  path(vm: VmSpec, file: string): string {
    return join(this.options.runDir, 'vms', vm.namespace, vm.name, file);
  }

  console(vm: VmSpec): string {
    return readFileSync(this.path(vm, 'console.log'), 'utf8');
  }

  /** Boot id of the guest once all its services run; another one than `not`. */
  ready(vm: VmSpec, not?: string): Promise<string> {
    return poll(`${vm.id}: ready`, BOOT_MS, async () => {
      const { bootId } = BOOT_ID.parse(await (await this.#get(vm, LAB_GUEST.bootIdPath)).json());
      return bootId !== not && this.console(vm).includes(`READY boot_id=${bootId} `) ? bootId : undefined;
    });
  }

  async fault(vm: VmSpec, name: string): Promise<void> {
    const response = await this.#get(vm, `${LAB_GUEST.faultPath}?do=${name}`);
    if (response.status !== 200) throw new Error(`fault ${name}: status ${response.status}`);
  }

  async close(): Promise<void> {
    for (const { pid, startTimeTicks } of this.#started) {
      if (livingState({ pid, startTimeTicks }) !== undefined) process.kill(pid, 'SIGKILL');
    }
    await this.engine.close();
    await this.pool.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #get(vm: VmSpec, path: string): Promise<Response> {
    const [network] = vm.hypervisor.interfaces;
    const port = network?.type === 'user' ? network.forwards[0]?.hostPort : undefined;
    const headers = { connection: 'close' };
    return fetch(`http://127.0.0.1:${port}${path}`, { headers, signal: AbortSignal.timeout(5_000) });
  }
}

/** Everything that a session has said so far, and waiting for what it will say. */
export class EventLog {
  readonly events: VmmEvent[] = [];

  constructor(session: QemuSession) {
    session.onEvent((event) => this.events.push(event));
  }

  /** Waits for an event with these fields, also one that came before, and forgets all up to it. */
  async take(fields: Partial<VmmEvent>): Promise<VmmEvent> {
    const matches = (event: VmmEvent) =>
      Object.entries(fields).every(([key, value]) => Reflect.get(event, key) === value);
    return poll(`event ${JSON.stringify(fields)}`, 60_000, () => {
      const at = this.events.findIndex(matches);
      return at < 0 ? undefined : this.events.splice(0, at + 1).at(-1);
    });
  }
}
