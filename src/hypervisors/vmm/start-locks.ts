import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isVmpulseError, VmpulseError } from '../../model/errors.js';
import type { VmSpec } from '../../model/vm.js';
import type { DriverHost } from '../host.js';

/** Locks held while a VM is being started; between two looks nobody else can start it or take its disks. */
export class StartLocks {
  readonly #host: Pick<DriverHost, 'lockFile'>;
  readonly #folder: string;
  readonly #held: { remove(): void }[] = [];

  /** `folder` has to be the same for every vmpulse on the host. */
  constructor(host: Pick<DriverHost, 'lockFile'>, folder: string) {
    this.#host = host;
    this.#folder = folder;
  }

  /** Makes the folder. Throws ERR_VMPULSE_START_IMPOSSIBLE if it is somebody else's, who could take our locks away. */
  async prepare(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const { uid } = await stat(this.#folder);
    if (uid === 0 || uid === process.geteuid?.()) return;
    const text = `the lock folder ${this.#folder} belongs to user ${uid}; remove it, or set another lockDir`;
    throw new VmpulseError('ERR_VMPULSE_START_IMPOSSIBLE', text);
  }

  /** Throws ERR_VMPULSE_LOCKED while another start of this VM is under way. */
  takeVm(vm: VmSpec): void {
    try {
      this.#held.push(this.#host.lockFile(join(this.#folder, `vm-${vm.uuid.toLowerCase()}`)));
    } catch (error) {
      if (!isVmpulseError(error, 'ERR_VMPULSE_LOCKED')) throw error;
      const text = `VM ${vm.id} (${vm.uuid}) is being started by another process right now; it is not started twice`;
      throw new VmpulseError('ERR_VMPULSE_LOCKED', text, { cause: error });
    }
  }

  /** Throws ERR_VMPULSE_DISK_IN_USE while another VM is being started with one of the disks. */
  takeDisks(vm: VmSpec, diskKeys: readonly string[]): void {
    for (const key of diskKeys) {
      try {
        this.#held.push(this.#host.lockFile(join(this.#folder, `disk-${key}`)));
      } catch (error) {
        if (!isVmpulseError(error, 'ERR_VMPULSE_LOCKED')) throw error;
        const text = `VM ${vm.id} cannot be started: another VM is being started with the same writable disk (${key})`;
        throw new VmpulseError('ERR_VMPULSE_DISK_IN_USE', text, { cause: error });
      }
    }
  }

  release(): void {
    for (const lock of this.#held.splice(0)) lock.remove();
  }
}
