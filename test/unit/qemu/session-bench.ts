import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startedAtMs } from '../../../src/hypervisors/process.js';
import { QemuMonitor } from '../../../src/hypervisors/qemu/monitor.js';
import { qemuPaths } from '../../../src/hypervisors/qemu/qemu-vm.js';
import { QemuSession } from '../../../src/hypervisors/qemu/session.js';
import { testFolder } from '../../fixtures/folder.js';
import { FakeChannel, testHost, testVm } from './fixtures.js';
import { standIn } from './processes.js';

/** A QEMU as far as its monitor goes. */
export class FakeQemu extends FakeChannel {
  status = 'running';
  shutdownAction = 'poweroff';

  constructor() {
    super();
    this.on('query-status', () => ({ running: this.status === 'running', status: this.status }));
    this.on('system_reset', () => {
      queueMicrotask(() => this.#reset());
      return {};
    });
    this.on('cont', () => {
      this.status = 'running';
      return {};
    });
    this.on('stop', () => {
      this.status = 'paused';
      return {};
    });
    this.on('set-action', (args) => {
      this.shutdownAction = String(args?.shutdown);
      return {};
    });
  }

  #reset(): void {
    if (this.status !== 'running') this.status = 'prelaunch';
    this.emit('RESET', { guest: false, reason: 'host-qmp-system-reset' });
  }
}

interface AttachOptions {
  readonly agent?: FakeChannel | undefined;
  readonly argv?: readonly string[];
  readonly adopted?: boolean;
}

/** A session to a stand-in process and a monitor in memory. */
export async function attach({ agent, argv = ['qemu'], adopted = false }: AttachOptions = {}) {
  const folder = testFolder();
  const vm = testVm();
  const paths = qemuPaths(folder, vm);
  mkdirSync(paths.folder, { recursive: true });
  const process = await standIn([]);
  const qemu = new FakeQemu();
  const session = new QemuSession({
    vm,
    vmm: { ...process, argv, startedAtMs: startedAtMs(process.startTimeTicks) },
    handle: testHost().openProcess(process),
    monitor: new QemuMonitor(qemu),
    agents: { qemu: agent },
    paths: adopted ? undefined : paths,
    evidenceDir: join(folder, 'evidence'),
  });
  return { session, qemu, process, paths, folder };
}

export const SOON = { deadlineMs: 5_000 };
