import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { AGENT_VSOCK_PORT } from '../../guest-agent/agent-port.js';
import type { LadderStep } from '../../model/action.js';
import type { Deadline } from '../../model/deadline.js';
import type { CloudHypervisorSpec } from '../../model/hypervisors/cloud-hypervisor.js';
import type { VmmMark } from '../vmm/find-vmm.js';
import { kvmProblem, type ProofContext, proveStart } from '../vmm/prove-start.js';
import { lostAsUndefined } from '../vmm/rest-api.js';
import { SpawningDriver } from '../vmm/spawning-driver.js';
import type { SessionParts } from '../vmm/vmm-session.js';
import { capabilitiesOf } from './capabilities.js';
import {
  type CloudHypervisorPaths,
  type CloudHypervisorVm,
  cloudHypervisorPaths,
} from './cloud-hypervisor-vm.js';
import { type CloudHypervisorPlan, commandLine, FIRST_ARGUMENT } from './command-line.js';
import { contentProblems } from './disk-content.js';
import { CloudHypervisorMonitor } from './monitor.js';
import { CloudHypervisorSession } from './session.js';

/** What the VMM itself needs beside the guest's memory. */
const VMM_OVERHEAD_MIB = 48;
const MKFIFO_MS = 2_000;
const POLL_MS = 20;

interface Kinds {
  readonly spec: CloudHypervisorSpec;
  readonly paths: CloudHypervisorPaths;
  readonly plan: CloudHypervisorPlan;
  readonly session: CloudHypervisorSession;
}

/** Builds, finds and drives VMs of Cloud Hypervisor. docs/internals/hypervisors/cloud-hypervisor.md has the design. */
export class CloudHypervisorDriver extends SpawningDriver<Kinds> {
  readonly name = 'cloud-hypervisor';

  protected paths(runDir: string, vm: CloudHypervisorVm): CloudHypervisorPaths {
    return cloudHypervisorPaths(runDir, vm);
  }

  protected mark({ uuid, hypervisor: { adopt } }: CloudHypervisorVm): VmmMark {
    if (adopt) return { socket: adopt.apiSocket, pidFile: adopt.pidFile };
    const id = uuid.toLowerCase();
    return {
      argv: { options: ['--platform'], values: [`uuid=${id}`, `system_uuid=${id}`] },
      firstArg: FIRST_ARGUMENT,
    };
  }

  /** Its agent reboots a guest in order, and its events tell that it did. */
  protected canDo({ hypervisor: { adopt, guestAgent } }: CloudHypervisorVm, step: LadderStep): boolean {
    return step !== 'reboot' || (guestAgent && (adopt === undefined || adopt.eventsFile !== undefined));
  }

  protected async prove(
    vm: CloudHypervisorVm,
    context: ProofContext & { readonly paths: CloudHypervisorPaths },
    deadline: Deadline,
  ): Promise<CloudHypervisorPlan> {
    const { kernel, firmware, disks } = vm.hypervisor;
    const noKvm = await kvmProblem(this.host, deadline);
    const unspeakable = disks.filter(({ path }) => path.includes('"'));
    const own = {
      problems: [
        ...(noKvm === undefined ? [] : [noKvm]),
        ...(await contentProblems(disks, deadline)),
        ...unspeakable.map(({ name }) => `disk ${name}: Cloud Hypervisor takes no path with "; rename it`),
      ],
      files: { kernel: kernel?.image, initrd: kernel?.initrd, firmware },
      devices: ['/dev/kvm'],
      overheadMiB: VMM_OVERHEAD_MIB,
    };
    const plan = await proveStart(vm, context, own, deadline);
    return { ...plan, can: await capabilitiesOf(plan.program, vm, deadline) };
  }

  /** Opening the fifo waits for its reader, which bringUp is. */
  protected async prepare(_vm: CloudHypervisorVm, { eventsFifo }: CloudHypervisorPaths): Promise<void> {
    await promisify(execFile)('mkfifo', ['-m', '600', eventsFifo], { timeout: MKFIFO_MS });
  }

  protected commandLine(
    vm: CloudHypervisorVm,
    paths: CloudHypervisorPaths,
    plan: CloudHypervisorPlan,
  ): readonly string[] {
    return commandLine(vm, paths, plan);
  }

  /** It creates and boots its VM by itself, and answers from before that on. */
  protected async bringUp(
    _vm: CloudHypervisorVm,
    { monitorSocket, eventsFifo }: CloudHypervisorPaths,
    deadline: Deadline,
  ): Promise<void> {
    const events = this.host.openChannel({ protocol: 'cloud-hypervisor-events', path: eventsFifo });
    const api = this.host.openChannel({ protocol: 'cloud-hypervisor', path: monitorSocket, reconnectMs: 10 });
    const monitor = new CloudHypervisorMonitor(api, events);
    try {
      await deadline.until(
        POLL_MS,
        async () => (await monitor.status(deadline).catch(lostAsUndefined)) === 'running' || undefined,
      );
    } finally {
      api.close();
      events.close();
    }
  }

  protected open(
    parts: SessionParts<CloudHypervisorSpec, CloudHypervisorPaths>,
    paths: CloudHypervisorPaths,
  ): CloudHypervisorSession {
    const { adopt, guestAgent } = parts.vm.hypervisor;
    const path = adopt?.apiSocket ?? paths.monitorSocket;
    const eventsPath = adopt ? adopt.eventsFile : paths.eventsFifo;
    const api = this.host.openChannel({ protocol: 'cloud-hypervisor', path });
    const events =
      eventsPath === undefined
        ? undefined
        : this.host.openChannel({ protocol: 'cloud-hypervisor-events', path: eventsPath });
    const vsock = { path: adopt?.vsockSocket ?? paths.vsockSocket, vsockPort: AGENT_VSOCK_PORT };
    const vmpulse = guestAgent ? this.host.openChannel({ protocol: 'qga', ...vsock }) : undefined;
    const monitor = new CloudHypervisorMonitor(api, events);
    return new CloudHypervisorSession({ ...parts, monitor, events, agents: { vmpulse } });
  }
}
