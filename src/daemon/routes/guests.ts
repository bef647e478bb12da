import { z } from 'zod';
import { Deadline } from '../../model/deadline.js';
import type { GuestDisk, GuestResources } from '../../model/guest.js';
import type { VmId } from '../../model/vm.js';
import { consoleAnswer, execAnswer, resizeAnswer, statsAnswer } from '../answers/guests.js';
import { type ApiOptions, aboutVm, get, post, type Route, vmInPath } from '../api-route.js';

/** Beside the command: its record, and the way. */
const SLACK_MS = 10_000;
const MAX_TIMEOUT_MS = 600_000;
const STATS_MS = 8_000;
/** 64 KiB of input, in JSON at worst six bytes each. */
const MAX_BODY_BYTES = 512 * 1024;

const word = z
  .string()
  .max(4096)
  .refine((text) => !text.includes('\0'), 'must not have a NUL character');
const execBody = z.strictObject({
  argv: z.array(word).min(1).max(256),
  input: z.string().max(65_536).optional(),
  timeoutMs: z.int().min(1).max(MAX_TIMEOUT_MS),
});

const resizeBody = z.strictObject({
  memoryMiB: z.int().min(1).max(67_108_864),
  relative: z.boolean(),
});

/** Commands, figures, memory and consoles of guests. */
export function guestRoutes({ runtime }: ApiOptions): Route[] {
  const { guests } = runtime;
  return [
    post({
      path: '/v1/vms/:vm/exec',
      scope: 'admin',
      summary: 'Runs a command in the guest, without a shell; on record before it begins.',
      body: execBody,
      maxBodyBytes: MAX_BODY_BYTES,
      answer: execAnswer,
      deadlineMs: MAX_TIMEOUT_MS + SLACK_MS,
      handle: async (request) => {
        const { timeoutMs, ...command } = request.body;
        const vm = vmInPath(request, runtime);
        // A client that goes away waits for nothing; the command in the guest ends at its time.
        const run = { vm, ...command, author: request.author, deadlineMs: timeoutMs };
        return { vm, ...(await guests.exec(run)) };
      },
    }),
    get({
      path: '/v1/vms/:vm/stats',
      scope: 'read',
      summary: 'What the guest has used up, by its own account.',
      answer: statsAnswer,
      handle: async (request) => {
        const vm = vmInPath(request, runtime);
        const deadline = new Deadline(`resources of ${vm}`, { deadlineMs: STATS_MS });
        return statsView(vm, await guests.stats(vm, deadline.step()));
      },
    }),
    post({
      path: '/v1/vms/:vm/resize',
      scope: 'operate',
      summary: 'Gives the running VM more memory; on record.',
      body: resizeBody,
      answer: resizeAnswer,
      handle: async (request) => {
        const { memoryMiB: mib, relative } = request.body;
        const vm = vmInPath(request, runtime);
        const options = { deadlineMs: STATS_MS };
        return { vm, memoryMiB: await guests.resize(vm, { mib, relative }, request.author, options) };
      },
    }),
    post({
      path: '/v1/vms/:vm/console',
      scope: 'admin',
      summary: 'Where the serial console is; on record.',
      answer: consoleAnswer,
      handle: (request) => guests.console(vmInPath(request, runtime), request.author),
    }),
  ].flatMap(aboutVm);
}

/** Percent of the processors, of the memory, and of the fullest file system that can be written; null: not told. */
function statsView(vm: VmId, resources: GuestResources) {
  const { cpu, memory, disks } = resources;
  const used = memory === undefined ? undefined : memory.totalBytes - memory.availableBytes;
  return {
    vm,
    cpu_usage: cpu?.usedPercent ?? null,
    memory_usage: used === undefined ? null : percent(used, memory?.totalBytes ?? 0),
    disk_usage: fullest(disks),
    ...resources,
  };
}

function fullest(disks: readonly GuestDisk[]): number | null {
  const shares = disks
    .filter(({ readOnly, fsType, totalBytes }) => !readOnly && fsType !== 'tmpfs' && totalBytes > 0)
    .map(({ usedBytes, totalBytes }) => percent(usedBytes, totalBytes));
  return shares.length === 0 ? null : Math.max(...shares);
}

function percent(part: number, all: number): number {
  return all > 0 ? Math.min(100, Math.max(0, Math.round((part * 1000) / all) / 10)) : 0;
}
