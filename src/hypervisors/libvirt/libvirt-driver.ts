import type { LadderStep } from '../../model/action.js';
import { Deadline } from '../../model/deadline.js';
import { errorMessage, isVmpulseError, VmpulseError } from '../../model/errors.js';
import type { LibvirtSpec } from '../../model/hypervisors/libvirt.js';
import type { ProcessIdentity } from '../../model/vm.js';
import type { DriverHost } from '../host.js';
import { startedAtMs } from '../process.js';
import { Accelerators } from '../qemu/accelerator.js';
import { type FoundVmm, findVmm, type VmmMark } from '../vmm/find-vmm.js';
import { makeFolder } from '../vmm/lent-folder.js';
import { removeFiles, rotateLogs } from '../vmm/logs.js';
import type { ProofContext } from '../vmm/prove-start.js';
import { newRecord, writeRecord } from '../vmm/record.js';
import { VmmDriver, type VmmDriverOptions } from '../vmm/vmm-driver.js';
import type { SessionParts } from '../vmm/vmm-session.js';
import { domainXml } from './domain-xml.js';
import { domainOf, type LibvirtPaths, type LibvirtVm, libvirtMark, libvirtPaths } from './libvirt-vm.js';
import { LibvirtMonitor } from './monitor.js';
import { type LibvirtPlan, proveLibvirtStart } from './prove-start.js';
import type { DomainRef } from './rpc/domain.js';
import { askLibvirt, type Libvirt } from './rpc/libvirt.js';
import { isRefusal } from './rpc/remote-error.js';
import { runState } from './run-state.js';
import { LibvirtSession } from './session.js';
import { libvirtPlace } from './uri.js';

const POLL_MS = 50;
/** How long a domain that did not come up may take to be destroyed: libvirt waits ten seconds before SIGKILL. */
const CLEAN_UP_MS = 15_000;

interface Kinds {
  readonly spec: LibvirtSpec;
  readonly paths: LibvirtPaths;
  readonly plan: LibvirtPlan;
  readonly session: LibvirtSession;
}

/** Builds, starts and drives domains of libvirt's. docs/internals/hypervisors/libvirt.md has the design. */
export class LibvirtDriver extends VmmDriver<Kinds> {
  readonly name = 'libvirt';
  readonly #accelerators: Accelerators;

  constructor(host: DriverHost, options: VmmDriverOptions) {
    super(host, options);
    this.#accelerators = new Accelerators(host, this.stateDir);
  }

  protected paths(runDir: string, vm: LibvirtVm): LibvirtPaths {
    return libvirtPaths(runDir, vm);
  }

  protected mark(vm: LibvirtVm): VmmMark {
    return libvirtMark(vm);
  }

  /** libvirt keeps the definition of an adopted domain, and starts it. */
  protected override startRefusal(): undefined {
    return undefined;
  }

  /** It is libvirt that starts it, in folders of its own. */
  protected override isElsewhere(): boolean {
    return false;
  }

  protected canDo(_vm: LibvirtVm, _step: LadderStep): boolean {
    return true;
  }

  protected prove(vm: LibvirtVm, context: ProofContext, deadline: Deadline): Promise<LibvirtPlan> {
    return proveLibvirtStart(vm, context, this.#accelerators, deadline);
  }

  protected async launch(
    vm: LibvirtVm,
    paths: LibvirtPaths,
    plan: LibvirtPlan,
    deadline: Deadline,
  ): Promise<ProcessIdentity> {
    await deadline.race(makeFolder(paths.folder));
    await deadline.race(removeFiles([...paths.endpoints, paths.record]));
    await deadline.race(rotateLogs([paths.consoleLog]));
    deadline.check();
    await deadline.race(Promise.resolve(this.host.network?.prepare(vm)));
    if (plan.kept === undefined) await deadline.race(this.#accelerators.remember(vm, plan.accelerator));
    const domain = plan.kept ?? domainOf(vm, []);
    // Of what libvirt was not asked, or what it refused, whatever runs was started by others.
    let mayBeOurs = false;
    const create = async (libvirt: Libvirt) => {
      mayBeOurs = true;
      try {
        if (plan.kept === undefined) await libvirt.createFrom(domainXml(vm, paths, plan), deadline);
        else await libvirt.create(domain, deadline);
      } catch (error) {
        mayBeOurs = !isRefusal(error);
        throw error;
      }
    };
    try {
      const vmm = await askLibvirt(libvirtPlace(vm.hypervisor.uri), (libvirt) =>
        this.#start(libvirt, vm, domain, paths, create, deadline),
      );
      const { pid, startTimeTicks, argv } = vmm;
      const startedAt = startedAtMs(startTimeTicks);
      const record = newRecord({ pid, startTimeTicks }, argv, vm, startedAt, '-name');
      await deadline.race(writeRecord(paths.record, record));
      return { pid, startTimeTicks };
    } catch (error) {
      // Withdrawn is not failed: the domain goes on, and the next look finds it.
      if (isVmpulseError(error, 'ERR_VMPULSE_ABORTED') || isVmpulseError(error, 'ERR_VMPULSE_CLOSED'))
        throw error;
      if (mayBeOurs) await this.#destroy(vm, domain);
      const text = `VM ${vm.id} was not started by libvirt: ${errorMessage(error)}`;
      throw new VmpulseError('ERR_VMPULSE_START_FAILED', text, { cause: error });
    }
  }

  /** Resolves with its QEMU once libvirt says that the domain runs. */
  async #start(
    libvirt: Libvirt,
    vm: LibvirtVm,
    domain: DomainRef,
    paths: LibvirtPaths,
    create: (libvirt: Libvirt) => Promise<void>,
    deadline: Deadline,
  ): Promise<FoundVmm> {
    // What was started before has no process any more; libvirt may still clear up behind it.
    await deadline.until(POLL_MS, async () => (await isOff(libvirt, domain, deadline)) || undefined);
    await create(libvirt);
    await deadline.until(
      POLL_MS,
      async () => runState(await libvirt.state(domain, deadline)) === 'running' || undefined,
    );
    return deadline.until(POLL_MS, () => findVmm(vm, this.mark(vm), paths, this.scanner, deadline));
  }

  /** Nothing half started is left. */
  async #destroy(vm: LibvirtVm, domain: DomainRef): Promise<void> {
    const deadline = new Deadline('end of a domain that did not come up', { deadlineMs: CLEAN_UP_MS });
    // It has ended by itself, or the next look finds it.
    await askLibvirt(libvirtPlace(vm.hypervisor.uri), (libvirt) => libvirt.destroy(domain, deadline)).catch(
      () => {},
    );
    const { consoleSocket, record } = this.paths(this.runDir, vm);
    await deadline.race(removeFiles([consoleSocket, record])).catch(() => {});
  }

  protected open(parts: SessionParts<LibvirtSpec, LibvirtPaths>): LibvirtSession {
    const { vm, vmm } = parts;
    const monitor = new LibvirtMonitor(libvirtPlace(vm.hypervisor.uri), domainOf(vm, vmm.argv));
    return new LibvirtSession({ ...parts, monitor });
  }
}

/** There is no such domain, or it does not run. */
async function isOff(libvirt: Libvirt, domain: DomainRef, deadline: Deadline): Promise<boolean> {
  try {
    return runState(await libvirt.state(domain, deadline)) === 'shutdown';
  } catch (error) {
    if (isVmpulseError(error, 'ERR_VMPULSE_VM_NOT_RUNNING')) return true;
    throw error;
  }
}
