import { writeFile } from 'node:fs/promises';
import { AGENT_VSOCK_PORT } from '../../guest-agent/agent-port.js';
import type { LadderStep } from '../../model/action.js';
import type { Deadline } from '../../model/deadline.js';
import type { FirecrackerSpec } from '../../model/hypervisors/firecracker.js';
import type { VmmMark } from '../vmm/find-vmm.js';
import { removeFiles, rotateLogs } from '../vmm/logs.js';
import { kvmProblem, type ProofContext, proveStart, type StartPlan } from '../vmm/prove-start.js';
import { lostAsUndefined } from '../vmm/rest-api.js';
import { SpawningDriver } from '../vmm/spawning-driver.js';
import type { SessionParts } from '../vmm/vmm-session.js';
import { type FirecrackerPaths, type FirecrackerVm, firecrackerPaths } from './firecracker-vm.js';
import { FirecrackerMonitor } from './monitor.js';
import { FirecrackerSession } from './session.js';
import { commandLine, FIRST_ARGUMENT, vmConfig } from './vm-config.js';

/** What the VMM itself needs beside the guest's memory. */
const VMM_OVERHEAD_MIB = 16;
const POLL_MS = 20;

interface Kinds {
  readonly spec: FirecrackerSpec;
  readonly paths: FirecrackerPaths;
  readonly plan: StartPlan;
  readonly session: FirecrackerSession;
}

/** Builds, finds and drives microVMs of Firecracker. docs/internals/hypervisors/firecracker.md has the design. */
export class FirecrackerDriver extends SpawningDriver<Kinds> {
  readonly name = 'firecracker';

  protected paths(runDir: string, vm: FirecrackerVm): FirecrackerPaths {
    return firecrackerPaths(runDir, vm);
  }

  protected mark({ uuid, hypervisor: { adopt } }: FirecrackerVm): VmmMark {
    if (adopt) return { socket: adopt.apiSocket, pidFile: adopt.pidFile };
    return { argv: { options: ['--id'], values: [uuid.toLowerCase()] }, firstArg: FIRST_ARGUMENT };
  }

  /** It can neither reset nor reboot its guest: the ladder goes on to a power-cycle. */
  protected canDo(_vm: FirecrackerVm, step: LadderStep): boolean {
    return step !== 'reset' && step !== 'reboot';
  }

  protected async prove(
    vm: FirecrackerVm,
    context: ProofContext & { readonly paths: FirecrackerPaths },
    deadline: Deadline,
  ): Promise<StartPlan> {
    const { kernel } = vm.hypervisor;
    const noKvm = await kvmProblem(this.host, deadline);
    const own = {
      problems: [
        ...(noKvm === undefined ? [] : [noKvm]),
        ...(kernel === undefined ? ['kernel: Firecracker boots nothing else; name one'] : []),
      ],
      files: { kernel: kernel?.image, initrd: kernel?.initrd },
      devices: ['/dev/kvm'],
      overheadMiB: VMM_OVERHEAD_MIB,
    };
    return proveStart(vm, context, own, deadline);
  }

  /** Its log and metrics have to be there before it. */
  protected async prepare(vm: FirecrackerVm, paths: FirecrackerPaths): Promise<void> {
    await rotateLogs([paths.log]);
    await removeFiles([paths.metrics]);
    for (const path of [paths.log, paths.metrics]) await writeFile(path, '', { mode: 0o600 });
    await writeFile(paths.config, `${JSON.stringify(vmConfig(vm, paths), null, 2)}\n`, { mode: 0o600 });
  }

  protected commandLine(vm: FirecrackerVm, paths: FirecrackerPaths): readonly string[] {
    return commandLine(vm, paths);
  }

  /** The serial console of the guest is what it writes to stdout. */
  protected override output({ consoleLog, vmmLog }: FirecrackerPaths) {
    return { stdout: consoleLog, stderr: vmmLog };
  }

  protected async bringUp(
    _vm: FirecrackerVm,
    { monitorSocket }: FirecrackerPaths,
    deadline: Deadline,
  ): Promise<void> {
    const channel = this.host.openChannel({ protocol: 'firecracker', path: monitorSocket, reconnectMs: 10 });
    const monitor = new FirecrackerMonitor(channel, undefined);
    try {
      await deadline.until(
        POLL_MS,
        async () => (await monitor.status(deadline).catch(lostAsUndefined)) === 'running' || undefined,
      );
    } finally {
      channel.close();
    }
  }

  protected open(
    parts: SessionParts<FirecrackerSpec, FirecrackerPaths>,
    paths: FirecrackerPaths,
  ): FirecrackerSession {
    const { adopt, guestAgent } = parts.vm.hypervisor;
    const path = adopt?.apiSocket ?? paths.monitorSocket;
    const channel = this.host.openChannel({ protocol: 'firecracker', path });
    const monitor = new FirecrackerMonitor(channel, parts.paths?.log);
    const vsock = { path: adopt?.vsockSocket ?? paths.vsockSocket, vsockPort: AGENT_VSOCK_PORT };
    const vmpulse = guestAgent ? this.host.openChannel({ protocol: 'qga', ...vsock }) : undefined;
    return new FirecrackerSession({ ...parts, monitor, agents: { vmpulse } });
  }
}
