import { appendFile, mkdir, readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../kernel/durable-file.js';
import { plainText } from '../model/plain-text.js';
import type { VmId, VmSpec } from '../model/vm.js';
import type { LifeState } from '../runtime/life-state.js';

const MAX_COMMANDS_BYTES = 1024 * 1024;
const MODE = 0o640;

/** What `state.json` says; of a VM that is being made only its state. */
export interface VmFolderState {
  readonly id: VmId;
  readonly uuid?: string;
  readonly state: LifeState;
  readonly since: string;
  readonly driver?: string;
  readonly pid: number | null;
  readonly startedAt?: string | null;
  readonly health?: string;
  readonly note?: string;
  /** TAP devices of its interfaces; the first also as `tap_name`. */
  readonly taps?: readonly string[];
  readonly tap_name?: string | null;
  readonly disks?: readonly string[];
}

/** One thing that was done to a VM, for `commands.log`. */
export interface CommandLine {
  readonly atMs: number;
  readonly author: string;
  readonly command: string;
  readonly result: string;
}

/** A VM's folder in the state directory: what a person looks at first when something is wrong with it. */
export class VmFolder {
  readonly path: string;
  readonly #runFolder: string;

  constructor(stateDir: string, runDir: string, id: VmId) {
    this.path = join(stateDir, 'vms', id);
    this.#runFolder = join(runDir, 'vms', id);
  }

  /** Makes the folder and the links to what the VMM writes while it runs. */
  async prepare(spec: VmSpec): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o750 });
    const { adopt, driver } = spec.hypervisor;
    const output = driver === 'libvirt' ? undefined : 'vmm.log';
    const links = {
      'console.log': 'console.log',
      // A VMM's two outputs are one file, in the order in which it wrote. libvirt's and its monitors are its own.
      'stdout.log': output,
      'stderr.log': output,
      'api.sock': API_SOCKETS[driver],
    };
    for (const [name, file] of Object.entries(links)) {
      // What an adopted VMM writes and where it listens, its documents say.
      const target = adopt === undefined && file !== undefined ? join(this.#runFolder, file) : undefined;
      await pointTo(join(this.path, name), target);
    }
  }

  async write(state: VmFolderState): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o750 });
    await writeDurably(join(this.path, 'state.json'), `${JSON.stringify(state, null, 2)}\n`, MODE);
    const pid = join(this.path, 'pid');
    if (state.pid === null) await rm(pid, { force: true });
    else await writeDurably(pid, `${state.pid}\n`, MODE);
  }

  /** Appends; a log over 1 MiB begins anew and is kept once as `commands.log.1`. */
  async log(lines: readonly CommandLine[]): Promise<void> {
    const path = join(this.path, 'commands.log');
    const bytes = await stat(path).then(
      (found) => found.size,
      () => 0,
    );
    if (bytes > MAX_COMMANDS_BYTES) await rename(path, `${path}.1`);
    const text = lines.map(
      ({ atMs, author, command, result }) =>
        `${new Date(atMs).toISOString()} ${[author, command, result].map((part) => plainText(part, 500)).join(' | ')}\n`,
    );
    await mkdir(this.path, { recursive: true, mode: 0o750 });
    await appendFile(path, text.join(''), { mode: MODE });
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/** As the drivers name them. */
const API_SOCKETS: Readonly<Partial<Record<VmSpec['hypervisor']['driver'], string>>> = {
  qemu: 'qmp.sock',
  'cloud-hypervisor': 'ch.sock',
  firecracker: 'fc.sock',
};

/** Another driver of the VM leads elsewhere than the one before. */
async function pointTo(link: string, target: string | undefined): Promise<void> {
  if ((await readlink(link).catch(() => undefined)) === target) return;
  await rm(link, { force: true });
  if (target !== undefined) await symlink(target, link);
}
