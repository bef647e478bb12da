import type { Channel } from '../../engine/probe-engine.js';
import type { Deadline } from '../../model/deadline.js';
import { VmpulseError } from '../../model/errors.js';
import type { QemuSpec } from '../../model/hypervisors/qemu.js';
import type { CallOptions, GuestCounter, MemoryChange, VmmEvent, VmmSession } from '../../model/ports.js';
import type { VcpuSources } from '../vcpu/read-vcpus.js';
import { type AgentSessionParts, AgentVmmSession } from '../vmm/agent-session.js';
import type { CaptureSource } from '../vmm/capture.js';
import { guestCounters } from '../vmm/guest-counters.js';
import type { StopAttempt, StopTarget } from '../vmm/stop-vmm.js';
import type { SessionParts } from '../vmm/vmm-session.js';
import { endingsOf } from './command-line.js';
import { diskCounters } from './disk-counters.js';
import type { QemuMonitor } from './monitor.js';
import type { QemuPaths } from './qemu-vm.js';
import { rebootGuest, restoreShutdownAction, type ShutdownAction } from './reboot-guest.js';
import { resetGuest, untilRunning } from './reset-guest.js';
import { resizeMemory } from './resize-memory.js';
import { snapshotGuest } from './snapshot.js';
import { stopAttempts } from './stop-attempts.js';
import { qemuVcpus } from './vcpus.js';

const QUESTIONS = ['query-status', 'query-cpus-fast', 'query-blockstats'];

export interface QemuSessionParts extends SessionParts<QemuSpec, QemuPaths>, AgentSessionParts {
  readonly monitor: QemuMonitor;
}

/** The attachment to one running QEMU. Owns its channels and its pidfd. */
export class QemuSession extends AgentVmmSession<QemuSpec, QemuPaths> implements VmmSession {
  readonly consoleSocket?: string;
  readonly #qmp: QemuMonitor;
  readonly #qga: Channel | undefined;

  constructor(parts: QemuSessionParts) {
    const { monitor, agents, paths } = parts;
    super(parts, monitor.channel, []);
    this.#qmp = monitor;
    this.#qga = agents.qemu;
    // A VMM of a former vmpulse has only the log.
    if (paths && parts.vmm.argv.some((arg) => arg.includes(paths.consoleSocket)))
      this.consoleSocket = paths.consoleSocket;
    // A daemon that died in a reboot by power button left `pause` behind.
    if (paths) void monitor.connected.then(() => restoreShutdownAction(monitor, this.#shutdownAction));
  }

  onEvent(listener: (event: VmmEvent, atMs: number) => void): void {
    this.#qmp.onEvent(listener);
  }

  async status(options: CallOptions): Promise<string> {
    return this.#qmp.status(this.running('status', options));
  }

  async reset(options: CallOptions): Promise<void> {
    this.#refuseIfItWouldEnd('reset');
    await resetGuest(this.#qmp, this.running('reset', options));
  }

  async reboot(options: CallOptions): Promise<void> {
    this.#refuseIfItWouldEnd('reboot');
    await rebootGuest(this.#qmp, this.#qga, this.#shutdownAction, this.running('reboot', options));
  }

  counters(options: CallOptions): Promise<readonly GuestCounter[]> {
    const { vm, paths } = this.parts;
    const deadline = this.deadline('counters', options);
    const disks = diskCounters(this.#qmp, deadline);
    return guestCounters(disks, vm.hypervisor.interfaces, paths?.consoleLog, deadline);
  }

  async pause(options: CallOptions): Promise<void> {
    await this.#qmp.request('stop', undefined, this.running('pause', options));
  }

  async resume(options: CallOptions): Promise<void> {
    const deadline = this.running('resume', options);
    const monitor = this.#qmp;
    const status = await monitor.status(deadline);
    if (status === 'watchdog') {
      const text = `${this.name} was stopped by its watchdog, which would stay dead after a resume; reset it`;
      throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
    }
    await monitor.request('cont', undefined, deadline);
    await untilRunning(monitor, deadline);
  }

  async snapshot(options: CallOptions & { readonly name: string }): Promise<readonly string[]> {
    const { vm, paths } = this.parts;
    if (paths !== undefined)
      return snapshotGuest(this.#qmp, vm, options.name, this.running('snapshot', options));
    const text = `${this.name} was adopted: vmpulse does not know its disks; save it with what started it`;
    throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
  }

  async resizeMemory(change: MemoryChange, options: CallOptions): Promise<number> {
    const deadline = this.running('resize', options);
    return resizeMemory(this.name, this.parts.vmm.argv, this.#qmp, change, deadline);
  }

  protected stopAttempts(target: StopTarget): readonly StopAttempt[] {
    return stopAttempts(target, this.#qmp);
  }

  protected override vcpuSources(deadline: Deadline): VcpuSources {
    return qemuVcpus(this.#qmp, deadline);
  }

  protected get witness(): CaptureSource['monitor'] {
    const qmp = this.#qmp;
    return {
      status: (deadline) => qmp.status(deadline),
      questions: Object.fromEntries(
        QUESTIONS.map((name) => [name, (deadline) => qmp.request(name, undefined, deadline)]),
      ),
    };
  }

  get #shutdownAction(): ShutdownAction {
    return endingsOf(this.parts.vmm.argv).shutdownPauses ? 'pause' : 'poweroff';
  }

  /** QEMU can be told to end when its guest reboots; a reset would then kill the VM. */
  #refuseIfItWouldEnd(what: string): void {
    if (!endingsOf(this.parts.vmm.argv).rebootEndsVmm) return;
    const text = `${what} of ${this.name}: its QEMU was started with -no-reboot and would end; stop and start it instead`;
    throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
  }
}
