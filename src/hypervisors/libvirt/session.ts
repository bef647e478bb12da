import type { Deadline } from '../../model/deadline.js';
import { isVmpulseError, VmpulseError } from '../../model/errors.js';
import type { LibvirtSpec } from '../../model/hypervisors/libvirt.js';
import type { CallOptions, GuestCounter, MemoryChange, VmmEvent, VmmSession } from '../../model/ports.js';
import { livingState } from '../process.js';
import type { VcpuSources } from '../vcpu/read-vcpus.js';
import type { CaptureSource } from '../vmm/capture.js';
import { guestCounters } from '../vmm/guest-counters.js';
import { GuestVmmSession } from '../vmm/guest-session.js';
import {
  askUntil,
  deadOrStuck,
  isDead,
  type StopAttempt,
  type StopTarget,
  untilDead,
} from '../vmm/stop-vmm.js';
import type { SessionParts } from '../vmm/vmm-session.js';
import { libvirtAgent } from './agent.js';
import { describeDomain } from './domain-description.js';
import type { LibvirtPaths } from './libvirt-vm.js';
import type { LibvirtMonitor } from './monitor.js';
import { resizeMemory } from './resize-memory.js';
import { snapshotDomain } from './snapshot.js';

/** What an agent gets of the time for a ping; the rest is for saying what came of it. */
const AGENT_SHARE = 0.8;

export interface LibvirtSessionParts extends SessionParts<LibvirtSpec, LibvirtPaths> {
  readonly monitor: LibvirtMonitor;
}

/**
 * The attachment to one running domain: a connection to libvirt of its own, and the pidfd of its QEMU, which is watched and
 * never ended but by libvirt.
 */
export class LibvirtSession extends GuestVmmSession<LibvirtSpec, LibvirtPaths> implements VmmSession {
  /** libvirt says why a domain ended once it has cleared up behind it. */
  readonly lastWordsMs = 4_000;
  readonly consoleSocket?: string;
  readonly #domain: LibvirtMonitor;

  constructor(parts: LibvirtSessionParts) {
    const { monitor, vm, paths } = parts;
    const agent = vm.hypervisor.guestAgent ? libvirtAgent(monitor.libvirt, monitor.domain) : undefined;
    super(parts, { qemu: agent }, undefined, []);
    this.#domain = monitor;
    if (paths !== undefined) this.consoleSocket = paths.consoleSocket;
  }

  onEvent(listener: (event: VmmEvent, atMs: number) => void): void {
    this.#domain.onEvent(listener);
  }

  async status(options: CallOptions): Promise<string> {
    return this.#status(this.running('status', options));
  }

  async reset(options: CallOptions): Promise<void> {
    await this.#domain.reset(this.running('reset', options));
  }

  async reboot(options: CallOptions): Promise<void> {
    await this.#domain.reboot(this.running('reboot', options));
  }

  counters(options: CallOptions): Promise<readonly GuestCounter[]> {
    const deadline = this.deadline('counters', options);
    // libvirt counts the network, too.
    return guestCounters(this.#domain.counters(deadline), [], this.parts.paths?.consoleLog, deadline);
  }

  async pause(options: CallOptions): Promise<void> {
    const deadline = this.running('pause', options);
    await this.#domain.libvirt.suspend(this.#domain.domain, deadline);
  }

  async resume(options: CallOptions): Promise<void> {
    const deadline = this.running('resume', options);
    const status = await this.#status(deadline);
    if (status === 'watchdog' || status === 'guest-panicked') {
      const text = `${this.name} is stopped (${status}), and a resume would not mend that; reset it`;
      throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
    }
    await this.#domain.resume(deadline);
  }

  async snapshot(options: CallOptions & { readonly name: string }): Promise<readonly string[]> {
    const deadline = this.running('snapshot', options);
    const { libvirt, domain } = this.#domain;
    const { id, hypervisor } = this.parts.vm;
    const disks =
      hypervisor.adopt === undefined
        ? hypervisor.disks
        : describeDomain(await libvirt.xml(domain, deadline)).disks;
    return snapshotDomain(libvirt, domain, { id, disks, name: options.name }, deadline);
  }

  async resizeMemory(change: MemoryChange, options: CallOptions): Promise<number> {
    const { libvirt, domain } = this.#domain;
    return resizeMemory(this.name, libvirt, domain, change, this.running('resize', options));
  }

  /** Tells a silent agent (ERR_VMPULSE_CHANNEL of the class `agent-unresponsive`) from a silent libvirt (ERR_VMPULSE_TIMEOUT). */
  async pingAgent(options: CallOptions): Promise<void> {
    const { libvirt, domain } = this.#domain;
    const deadline = this.running('agent ping', options);
    const part = deadline.part(deadline.remainingMs() * AGENT_SHARE);
    const [ping, state] = await Promise.allSettled([
      libvirtAgent(libvirt, domain).request('guest-ping', undefined, part.step()),
      libvirt.state(domain, part),
    ]);
    if (ping.status === 'fulfilled') return;
    if (state.status === 'rejected' || !isVmpulseError(ping.reason, 'ERR_VMPULSE_TIMEOUT')) throw ping.reason;
    throw new VmpulseError('ERR_VMPULSE_CHANNEL', `the guest agent of ${this.name} does not answer`, {
      details: { class: 'agent-unresponsive' },
    });
  }

  override async detach(): Promise<void> {
    this.#domain.close();
    await super.detach();
  }

  protected stopAttempts(target: StopTarget): readonly StopAttempt[] {
    const { libvirt, domain } = this.#domain;
    return [
      async (deadline) => {
        const status = await this.#status(deadline);
        // A guest that does not run cannot shut down: no use in waiting for it.
        if (status !== 'running') throw new VmpulseError('ERR_VMPULSE_COMMAND', `the guest is ${status}`);
        await askUntil(
          (left) => libvirt.shutdown(domain, left),
          () => isDead(target),
          deadline,
        );
      },
    ];
  }

  /** By libvirt, which owns the process: SIGTERM, after ten seconds SIGKILL. */
  protected override forcedEnd(target: StopTarget): StopAttempt {
    const { libvirt, domain } = this.#domain;
    const ended = async (deadline: Deadline) => {
      await libvirt.destroy(domain, deadline);
      await untilDead(target, deadline);
    };
    return (deadline) => deadOrStuck(target, ended(deadline));
  }

  protected override vcpuSources(deadline: Deadline): VcpuSources {
    return { injections: () => this.#domain.injections(deadline) };
  }

  protected get witness(): CaptureSource['monitor'] {
    const { libvirt, domain } = this.#domain;
    return {
      status: (deadline) => this.#status(deadline),
      questions: {
        state: (deadline) => libvirt.state(domain, deadline),
        control: (deadline) => libvirt.controlInfo(domain, deadline),
        counters: (deadline) => this.#domain.counters(deadline),
        xml: (deadline) => libvirt.xml(domain, deadline),
      },
    };
  }

  /** libvirt goes on saying what it knew last of a QEMU that was stopped. */
  async #status(deadline: Deadline): Promise<string> {
    if (livingState(this.process) !== 'T') return this.#domain.status(deadline);
    const text = `${this.name}: its QEMU, process ${this.process.pid}, is stopped (state T); libvirt's word of it is old`;
    throw new VmpulseError('ERR_VMPULSE_CHANNEL', text);
  }
}
