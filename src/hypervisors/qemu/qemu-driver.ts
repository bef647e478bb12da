import type { LadderStep } from '../../model/action.js';
import type { Deadline } from '../../model/deadline.js';
import type { QemuSpec } from '../../model/hypervisors/qemu.js';
import type { DriverHost } from '../host.js';
import type { VmmMark } from '../vmm/find-vmm.js';
import type { ProofContext } from '../vmm/prove-start.js';
import { SpawningDriver } from '../vmm/spawning-driver.js';
import type { VmmDriverOptions } from '../vmm/vmm-driver.js';
import type { SessionParts } from '../vmm/vmm-session.js';
import { Accelerators } from './accelerator.js';
import { commandLine } from './command-line.js';
import { QemuMonitor } from './monitor.js';
import { proveQemuStart, type QemuPlan } from './prove-start.js';
import { agentsOf, type QemuPaths, type QemuVm, qemuMark, qemuPaths } from './qemu-vm.js';
import { QemuSession } from './session.js';

interface Kinds {
  readonly spec: QemuSpec;
  readonly paths: QemuPaths;
  readonly plan: QemuPlan;
  readonly session: QemuSession;
}

/** Builds, finds and drives QEMU VMs. docs/internals/hypervisors/qemu.md has the design. */
export class QemuDriver extends SpawningDriver<Kinds> {
  readonly name = 'qemu';
  readonly #accelerators: Accelerators;

  constructor(host: DriverHost, options: VmmDriverOptions) {
    super(host, options);
    this.#accelerators = new Accelerators(host, this.stateDir);
  }

  protected paths(runDir: string, vm: QemuVm): QemuPaths {
    return qemuPaths(runDir, vm);
  }

  protected mark(vm: QemuVm): VmmMark {
    return qemuMark(vm);
  }

  protected canDo(_vm: QemuVm, _step: LadderStep): boolean {
    return true;
  }

  protected prove(
    vm: QemuVm,
    context: ProofContext & { readonly paths: QemuPaths },
    deadline: Deadline,
  ): Promise<QemuPlan> {
    return proveQemuStart(vm, context, this.#accelerators, deadline);
  }

  protected prepare(vm: QemuVm, _paths: QemuPaths, plan: QemuPlan): Promise<void> {
    return this.#accelerators.remember(vm, plan.accelerator);
  }

  protected commandLine(vm: QemuVm, paths: QemuPaths, plan: QemuPlan): readonly string[] {
    return commandLine(vm, paths, plan);
  }

  /** QEMU boots the guest by itself; the start is done when its monitor answers a command. */
  protected async bringUp(_vm: QemuVm, { monitorSocket }: QemuPaths, deadline: Deadline): Promise<void> {
    const channel = this.host.openChannel({ protocol: 'qmp', path: monitorSocket, reconnectMs: 10 });
    try {
      await new QemuMonitor(channel).status(deadline);
    } finally {
      channel.close();
    }
  }

  protected open(parts: SessionParts<QemuSpec, QemuPaths>, paths: QemuPaths): QemuSession {
    const { adopt } = parts.vm.hypervisor;
    const path = adopt?.qmpSocket ?? paths.monitorSocket;
    const monitor = new QemuMonitor(this.host.openChannel({ protocol: 'qmp', path }));
    const { qemu, vmpulse } = agentsOf(parts.vm);
    // vmpulse's own agent speaks the same protocol.
    const open = (socket: string) => this.host.openChannel({ protocol: 'qga', path: socket });
    const agents = {
      qemu: qemu ? open(adopt?.agentSocket ?? paths.agentSocket) : undefined,
      vmpulse: vmpulse ? open(adopt?.vmpulseAgentSocket ?? paths.vmpulseAgentSocket) : undefined,
    };
    return new QemuSession({ ...parts, monitor, agents });
  }
}
