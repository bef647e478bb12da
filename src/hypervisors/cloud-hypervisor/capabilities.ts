import { execFile } from 'node:child_process';
import type { Deadline } from '../../model/deadline.js';
import { VmpulseError } from '../../model/errors.js';
import type { CloudHypervisorVm } from './cloud-hypervisor-vm.js';

const MAX_HELP_BYTES = 256 * 1024;

/** What differs between the versions of Cloud Hypervisor, as its own help says. */
export interface Capabilities {
  readonly pvpanic: boolean;
  /** How `--platform` calls the UUID. */
  readonly uuidKey: 'uuid' | 'system_uuid';
  /** Whether the format of a disk can be said; where it can, an unsaid one is guessed, and then is half read-only. */
  readonly imageType: boolean;
}

/** Throws ERR_VMPULSE_START_IMPOSSIBLE where the program is no Cloud Hypervisor that can run this VM. */
export async function capabilitiesOf(
  program: string,
  vm: CloudHypervisorVm,
  deadline: Deadline,
): Promise<Capabilities> {
  const help = await helpOf(program, deadline);
  const has = (text: string) => help.includes(text);
  if (!has('--api-socket') || !has('--event-monitor')) {
    const text = `${program} is no Cloud Hypervisor with --api-socket and --event-monitor; name another binary`;
    throw new VmpulseError('ERR_VMPULSE_START_IMPOSSIBLE', text);
  }
  if (vm.hypervisor.watchdog && !has('--watchdog')) {
    const text = `VM ${vm.id} wants a watchdog, which ${program} has not; use a newer one, or remove watchdog`;
    throw new VmpulseError('ERR_VMPULSE_START_IMPOSSIBLE', text);
  }
  return {
    pvpanic: has('--pvpanic'),
    uuidKey: has('system_uuid=') ? 'system_uuid' : 'uuid',
    imageType: has('image_type='),
  };
}

function helpOf(program: string, deadline: Deadline): Promise<string> {
  const { deadlineMs, signal } = deadline.step();
  return new Promise((resolve, reject) => {
    const options = {
      timeout: deadlineMs,
      killSignal: 'SIGKILL' as const,
      maxBuffer: MAX_HELP_BYTES,
      signal,
    };
    execFile(program, ['--help'], options, (cause, stdout) => {
      if (cause === null) return resolve(stdout);
      const text = `${program} does not say what it can do: ${cause.message}`;
      reject(new VmpulseError('ERR_VMPULSE_START_IMPOSSIBLE', text, { cause }));
    });
  });
}
