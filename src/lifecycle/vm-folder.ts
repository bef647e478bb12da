import { appendFile, mkdir, open, rename, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { plainText } from '../model/plain-text.js';
import type { VmId, VmSpec } from '../model/vm.js';
import type { LifeState } from '../runtime/life-state.js';

const MAX_COMMANDS_BYTES = 1024 * 1024;

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
    const socket = driver === 'qemu' ? 'qmp.sock' : 'api.sock';
    // What an adopted VMM writes and where it listens, its documents say.
    const links = adopt === undefined ? [...LINKS, ['api.sock', socket] as const] : [];
    for (const [name, target] of links) {
      await symlink(join(this.#runFolder, target), join(this.path, name)).catch(ignoreExisting);
    }
  }

  async write(state: VmFolderState): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o750 });
    await replaceFile(join(this.path, 'state.json'), `${JSON.stringify(state, null, 2)}\n`);
    const pid = join(this.path, 'pid');
    if (state.pid === null) await rm(pid, { force: true });
    else await replaceFile(pid, `${state.pid}\n`);
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
    await appendFile(path, text.join(''), { mode: 0o640 });
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/** A VMM's two outputs are one file, in the order in which it wrote. */
const LINKS = [
  ['console.log', 'console.log'],
  ['stdout.log', 'vmm.log'],
  ['stderr.log', 'vmm.log'],
] as const;

/** Whole or not at all, whatever dies meanwhile. */
async function replaceFile(path: string, text: string): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o640);
  try {
    await file.writeFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
