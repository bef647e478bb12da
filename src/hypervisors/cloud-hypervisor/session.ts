import type { Channel } from '../../engine/probe-engine.js';
import type { Deadline } from '../../model/deadline.js';
import { VmpulseError } from '../../model/errors.js';
import type { CloudHypervisorSpec } from '../../model/hypervisors/cloud-hypervisor.js';
import type { CallOptions, GuestCounter, VmmEvent, VmmSession } from '../../model/ports.js';
import { type AgentSessionParts, AgentVmmSession } from '../vmm/agent-session.js';
import type { CaptureSource } from '../vmm/capture.js';
import { guestCounters } from '../vmm/guest-counters.js';
import { rebootByAgent } from '../vmm/reboot-by-agent.js';
import { lostAsUndefined } from '../vmm/rest-api.js';
import {
  askUntil,
  isDead,
  type StopAttempt,
  type StopTarget,
  terminate,
  untilDead,
} from '../vmm/stop-vmm.js';
import type { SessionParts } from '../vmm/vmm-session.js';
import type { CloudHypervisorPaths } from './cloud-hypervisor-vm.js';
import type { CloudHypervisorMonitor } from './monitor.js';

const POLL_MS = 20;
const AGENT_PING_MS = 2_000;
const QUESTIONS = ['vmm.ping', 'vm.info', 'vm.counters'] as const;

export interface CloudHypervisorSessionParts
  extends SessionParts<CloudHypervisorSpec, CloudHypervisorPaths>,
    AgentSessionParts {
  readonly monitor: CloudHypervisorMonitor;
  readonly events: Channel | undefined;
}

/** The attachment to one running Cloud Hypervisor. Owns its API, its events, the agent's channel and its pidfd. */
export class CloudHypervisorSession
  extends AgentVmmSession<CloudHypervisorSpec, CloudHypervisorPaths>
  implements VmmSession
{
  readonly #vmm: CloudHypervisorMonitor;
  readonly #hearsEvents: boolean;

  constructor(parts: CloudHypervisorSessionParts) {
    const { monitor, events } = parts;
    super(parts, monitor.channel, events === undefined ? [] : [events]);
    this.#vmm = monitor;
    this.#hearsEvents = events !== undefined;
  }

  onEvent(listener: (event: VmmEvent, atMs: number) => void): void {
    this.#vmm.onEvent(listener);
  }

  async status(options: CallOptions): Promise<string> {
    return this.#vmm.status(this.running('status', options));
  }

  /** The VMM stays. A guest that was paused runs afterwards, and one that was shut down is booted. */
  async reset(options: CallOptions): Promise<void> {
    const deadline = this.running('reset', options);
    await this.#resumeIfPaused(deadline);
    const isOff = (await this.#vmm.status(deadline)) === 'shutdown';
    await this.#vmm.asOurs(async () => {
      await this.#vmm.act(isOff ? 'vm.boot' : 'vm.reboot', 'running', deadline);
      await this.#until('running', deadline);
    });
  }

  /** By its agent, which alone can do it: the power button ends the VMM. */
  async reboot(options: CallOptions): Promise<void> {
    const deadline = this.running('reboot', options);
    const { agent } = this;
    if (agent === undefined || !this.#hearsEvents) {
      const text = `${this.name} cannot be rebooted in order without vmpulse's agent and events; reset it, or stop and start it`;
      throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
    }
    await agent.request('guest-ping', undefined, deadline.step(AGENT_PING_MS));
    await rebootByAgent(this.#vmm.expectReset(), agent, deadline);
    await this.#until('running', deadline);
  }

  counters(options: CallOptions): Promise<readonly GuestCounter[]> {
    const { vm, paths } = this.parts;
    const deadline = this.deadline('counters', options);
    const devices = this.#vmm.counters(deadline);
    return guestCounters(devices, vm.hypervisor.interfaces, paths?.consoleLog, deadline);
  }

  async pause(options: CallOptions): Promise<void> {
    await this.#vmm.act('vm.pause', 'paused', this.running('pause', options));
  }

  async resume(options: CallOptions): Promise<void> {
    const deadline = this.running('resume', options);
    await this.#vmm.act('vm.resume', 'running', deadline);
    await this.#until('running', deadline);
  }

  protected stopAttempts(target: StopTarget): readonly StopAttempt[] {
    const vmm = this.#vmm;
    return [
      async (deadline) => {
        await this.#resumeIfPaused(deadline);
        const status = await vmm.status(deadline);
        // A guest that does not run cannot shut down: no use in waiting for it.
        if (status !== 'running') throw new VmpulseError('ERR_VMPULSE_COMMAND', `the guest is ${status}`);
        await askUntil(
          (left) => vmm.ask('vm.power-button', left),
          () => isDead(target),
          deadline,
        );
      },
      async (deadline) => {
        // To shut down a paused VM has frozen some versions; and any may end before it answers.
        await this.#resumeIfPaused(deadline);
        await vmm.asOurs(async () => {
          vmm.ask('vmm.shutdown', deadline).catch(() => {});
          await untilDead(target, deadline);
        });
      },
      (deadline) => terminate(target, deadline),
    ];
  }

  protected get witness(): CaptureSource['monitor'] {
    const vmm = this.#vmm;
    const questions = QUESTIONS.map(
      (name) => [name, (deadline: Deadline) => vmm.get(name, deadline)] as const,
    );
    return { status: (deadline) => vmm.status(deadline), questions: Object.fromEntries(questions) };
  }

  async #resumeIfPaused(deadline: Deadline): Promise<void> {
    if ((await this.#vmm.status(deadline)) === 'paused')
      await this.#vmm.act('vm.resume', 'running', deadline);
  }

  async #until(status: string, deadline: Deadline): Promise<void> {
    await deadline.until(
      POLL_MS,
      async () => (await this.#vmm.status(deadline).catch(lostAsUndefined)) === status || undefined,
    );
  }
}
