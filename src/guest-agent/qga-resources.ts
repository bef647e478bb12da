import { z } from 'zod';
import type { Deadline } from '../model/deadline.js';
import { isVmpulseError } from '../model/errors.js';
import { given } from '../model/given.js';
import type { GuestDisk, GuestResources } from '../model/guest.js';
import { plainText } from '../model/plain-text.js';
import type { AgentPort } from './agent-port.js';
import { parseAnswer } from './answer.js';
import type { GuestExec } from './guest-exec.js';
import { type CpuTicks, cpuShares, cpuTicksIn, loadIn, memoryIn } from './proc-text.js';

/** No shell, and one program for all. */
const PROC = ['cat', '/proc/stat', '/proc/meminfo', '/proc/loadavg'];
/** Between two looks when there was none before. */
const SAMPLE_MS = 500;
/** A look before that is no use any more. */
const MAX_AGE_MS = 5 * 60_000;
/** File systems that cannot fill up. */
const FIXED = new Set(['squashfs', 'iso9660', 'udf', 'CDFS', 'UDF']);

const bytes = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const FILE_SYSTEMS = z
  .array(
    z.object({
      mountpoint: z.string(),
      type: z.string(),
      'used-bytes': bytes.optional(),
      'total-bytes': bytes.optional(),
    }),
  )
  .max(1024);

/** Asks the QEMU guest agent of one VM; it remembers the last look, as processor shares need two. */
export class QgaResources {
  readonly #agent: AgentPort;
  readonly #exec: GuestExec;
  #last: { readonly ticks: CpuTicks; readonly atMs: number } | undefined;

  constructor(agent: AgentPort, exec: GuestExec) {
    this.#agent = agent;
    this.#exec = exec;
  }

  async read(deadline: Deadline): Promise<GuestResources> {
    const disks = await this.#disks(deadline);
    const text = await this.#procText(deadline);
    if (text === undefined) return { source: 'qemu-guest-agent', disks };
    const memory = memoryIn(text);
    const load = loadIn(text);
    const ticks = cpuTicksIn(text);
    const cpu = ticks && (await this.#cpu(ticks, deadline));
    return {
      source: 'qemu-guest-agent',
      ...given({ cpu }),
      ...(ticks === undefined || ticks.cpus === 0 ? {} : { cpus: ticks.cpus }),
      ...given({ memory, load }),
      disks,
    };
  }

  async #disks(deadline: Deadline): Promise<readonly GuestDisk[]> {
    const answer = await this.#agent.request('guest-get-fsinfo', undefined, deadline.step());
    return parseAnswer(FILE_SYSTEMS, answer).flatMap((fs) => {
      const totalBytes = fs['total-bytes'] ?? 0;
      if (totalBytes === 0) return [];
      const fsType = plainText(fs.type, 32);
      const usedBytes = fs['used-bytes'] ?? 0;
      return [
        { mount: plainText(fs.mountpoint), fsType, readOnly: FIXED.has(fsType), totalBytes, usedBytes },
      ];
    });
  }

  /** Undefined where the guest lets nobody run `cat`, or has none. */
  async #procText(deadline: Deadline): Promise<string | undefined> {
    try {
      const { exitCode, stdout } = await this.#exec.run({ argv: PROC }, deadline);
      return exitCode === 0 ? stdout : undefined;
    } catch (error) {
      if (isVmpulseError(error, 'ERR_VMPULSE_COMMAND')) return undefined;
      throw error;
    }
  }

  async #cpu(ticks: CpuTicks, deadline: Deadline): Promise<GuestResources['cpu']> {
    const now = performance.now();
    const last = this.#last;
    this.#last = { ticks, atMs: now };
    const ageMs = last === undefined ? Number.POSITIVE_INFINITY : now - last.atMs;
    // A counter that went back is another boot's.
    if (last !== undefined && ageMs < MAX_AGE_MS && ticks.idle >= last.ticks.idle && ageMs >= SAMPLE_MS)
      return cpuShares(last.ticks, ticks);
    if (deadline.remainingMs() < 3 * SAMPLE_MS) return undefined;
    await deadline.sleep(SAMPLE_MS);
    const later = cpuTicksIn((await this.#procText(deadline)) ?? '');
    return later && cpuShares(ticks, later);
  }
}
