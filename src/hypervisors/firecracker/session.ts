import type { Deadline } from '../../model/deadline.js';
import { isVmpulseError, VmpulseError } from '../../model/errors.js';
import type { FirecrackerSpec } from '../../model/hypervisors/firecracker.js';
import type { CallOptions, GuestCounter, VmmEvent, VmmSession } from '../../model/ports.js';
import { type AgentSessionParts, AgentVmmSession } from '../vmm/agent-session.js';
import type { CaptureSource } from '../vmm/capture.js';
import { guestCounters } from '../vmm/guest-counters.js';
import { askUntil, isDead, type StopAttempt, type StopTarget, terminate } from '../vmm/stop-vmm.js';
import type { SessionParts } from '../vmm/vmm-session.js';
import type { FirecrackerPaths } from './firecracker-vm.js';
import { MetricsTotals } from './metrics.js';
import type { FirecrackerMonitor } from './monitor.js';

const AGENT_MS = 2_000;
const QUESTIONS = ['/', '/version', '/vm/config'] as const;

export interface FirecrackerSessionParts
  extends SessionParts<FirecrackerSpec, FirecrackerPaths>,
    AgentSessionParts {
  readonly monitor: FirecrackerMonitor;
}

/** The attachment to one running Firecracker. Owns its API, the agent's channel and its pidfd. */
export class FirecrackerSession
  extends AgentVmmSession<FirecrackerSpec, FirecrackerPaths>
  implements VmmSession
{
  readonly #vmm: FirecrackerMonitor;
  readonly #metrics: MetricsTotals | undefined;

  constructor(parts: FirecrackerSessionParts) {
    const { monitor, paths } = parts;
    super(parts, monitor.channel, [], paths === undefined ? [] : [paths.log, paths.metrics]);
    this.#vmm = monitor;
    this.#metrics = paths && new MetricsTotals(paths.metrics);
  }

  onEvent(listener: (event: VmmEvent, atMs: number) => void): void {
    this.#vmm.onEvent(listener);
  }

  async status(options: CallOptions): Promise<string> {
    return this.#vmm.status(this.running('status', options));
  }

  async reset(options: CallOptions): Promise<void> {
    this.#refuseReboot('reset', options);
  }

  async reboot(options: CallOptions): Promise<void> {
    this.#refuseReboot('reboot', options);
  }

  counters(options: CallOptions): Promise<readonly GuestCounter[]> {
    const { vm, paths } = this.parts;
    const deadline = this.deadline('counters', options);
    return guestCounters(
      this.#deviceCounters(deadline),
      vm.hypervisor.interfaces,
      paths?.consoleLog,
      deadline,
    );
  }

  async pause(options: CallOptions): Promise<void> {
    await this.#vmm.change('Paused', this.running('pause', options));
  }

  async resume(options: CallOptions): Promise<void> {
    await this.#vmm.change('Resumed', this.running('resume', options));
  }

  protected stopAttempts(target: StopTarget): readonly StopAttempt[] {
    const vmm = this.#vmm;
    return [
      async (deadline) => {
        // A paused guest hears nothing.
        if ((await vmm.status(deadline)) === 'paused') await vmm.change('Resumed', deadline);
        await askUntil(
          (left) => this.#askToReboot(left),
          () => isDead(target),
          deadline,
        );
      },
      (deadline) => terminate(target, deadline),
    ];
  }

  protected get witness(): CaptureSource['monitor'] {
    const vmm = this.#vmm;
    const questions = QUESTIONS.map(
      (path) => [path, (deadline: Deadline) => vmm.get(path, deadline)] as const,
    );
    return { status: (deadline) => vmm.status(deadline), questions: Object.fromEntries(questions) };
  }

  /** A guest that reboots ends its VMM. Its agent is surer than Ctrl-Alt-Del, which only x86 has. */
  async #askToReboot(deadline: Deadline): Promise<void> {
    const { agent } = this;
    if (agent?.connected === true) {
      const asked = agent.request('guest-shutdown', { mode: 'reboot' }, deadline.step(AGENT_MS));
      // It answers once it has begun, or is gone by then; one that is silent has done nothing.
      const hasBegun = await asked.then(
        () => true,
        (error: unknown) => isVmpulseError(error, 'ERR_VMPULSE_CHANNEL') && !agent.connected,
      );
      if (hasBegun) return;
    }
    await this.#vmm.act('SendCtrlAltDel', deadline);
  }

  async #deviceCounters(deadline: Deadline): Promise<readonly GuestCounter[]> {
    if (this.#metrics === undefined || !this.#vmm.channel.connected) return [];
    // Where it does not flush, what it wrote by itself is still news.
    await this.#vmm.act('FlushMetrics', deadline).catch(() => {});
    return this.#metrics.read();
  }

  /** A guest that resets ends its Firecracker: there is no new boot without a new VMM. */
  #refuseReboot(what: string, options: CallOptions): void {
    this.running(what, options);
    const text = `${what} of ${this.name}: Firecracker has none; power-cycle it, which starts a new VMM`;
    throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
  }
}
