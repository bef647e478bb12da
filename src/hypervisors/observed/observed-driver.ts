import { Deadline } from '../../model/deadline.js';
import { VmpulseError } from '../../model/errors.js';
import type { ObservedSpec } from '../../model/hypervisors/observed.js';
import type { CallOptions, Driver, Look } from '../../model/ports.js';
import { isRunBy, type ProcessIdentity, type VmSpec } from '../../model/vm.js';
import type { DriverHost } from '../host.js';
import { startedAtMs } from '../process.js';
import { type FoundProcess, ProcScanner } from '../vmm/proc-scan/proc-scanner.js';
import { ObservedSession } from './observed-session.js';

/**
 * Watches VMMs that somebody else owns (libvirt, Proxmox, a unit, a container), or that have no monitor of their own to
 * give. It knows the process and nothing else: no socket is opened, no signal sent, no step of recovery possible.
 */
export class ObservedDriver implements Driver<ObservedSession> {
  readonly name = 'observed';
  readonly #host: DriverHost;
  readonly #scanner: ProcScanner;

  constructor(host: DriverHost) {
    this.#host = host;
    this.#scanner = new ProcScanner(host);
  }

  supports(): boolean {
    return false;
  }

  async look(vm: VmSpec, options: CallOptions): Promise<Look> {
    const found = await this.#find(vm, options);
    if (found === undefined) return { running: false, leftovers: [] };
    const { pid, startTimeTicks } = found;
    return { running: true, process: { pid, startTimeTicks }, startedAtMs: startedAtMs(startTimeTicks) };
  }

  /** Throws ERR_VMPULSE_IDENTITY if the process is not, or no longer, this VM's. */
  async attach(vm: VmSpec, process: ProcessIdentity, options: CallOptions): Promise<ObservedSession> {
    // The pidfd first: from here on the process cannot become another one unnoticed.
    const handle = this.#host.openProcess(process);
    try {
      const found = await this.#find(vm, options);
      if (found?.pid === process.pid && found.startTimeTicks === process.startTimeTicks)
        return new ObservedSession(vm.id, process, handle);
      const text = `process ${process.pid} is not the VMM of ${vm.id}; look again`;
      throw new VmpulseError('ERR_VMPULSE_IDENTITY', text);
    } catch (error) {
      handle.close();
      throw error;
    }
  }

  async proveStart(vm: VmSpec): Promise<void> {
    throw notOurs(vm);
  }

  async start(vm: VmSpec): Promise<ProcessIdentity> {
    throw notOurs(vm);
  }

  /** Throws ERR_VMPULSE_IDENTITY when more than one process fits. */
  async #find(vm: VmSpec, options: CallOptions): Promise<FoundProcess | undefined> {
    const { mark } = observedVm(vm).hypervisor.adopt;
    const [option = '', ...rest] = mark.split(' ');
    const deadline = new Deadline(`look at ${vm.id}`, options);
    const found = await this.#scanner.byMark(
      { options: [option], values: [rest.join(' ').toLowerCase()] },
      deadline,
    );
    if (found.length <= 1) return found[0];
    const pids = found.map(({ pid }) => pid).join(', ');
    const text = `VM ${vm.id} fits more than one process: ${pids}; give it a mark that only one has`;
    throw new VmpulseError('ERR_VMPULSE_IDENTITY', text);
  }
}

function observedVm(vm: VmSpec): VmSpec<ObservedSpec> {
  if (isRunBy(vm, 'observed')) return vm;
  const text = `VM ${vm.id} is run by ${vm.hypervisor.driver}, not by observed`;
  throw new VmpulseError('ERR_VMPULSE_ARGUMENT', text);
}

function notOurs(vm: VmSpec): VmpulseError {
  const text = `VM ${vm.id} is only observed: whoever started it starts it`;
  return new VmpulseError('ERR_VMPULSE_START_IMPOSSIBLE', text);
}
