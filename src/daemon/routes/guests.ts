import { z } from 'zod';
import { Deadline } from '../../model/deadline.js';
import type { GuestDisk, GuestResources } from '../../model/guest.js';
import type { VmId } from '../../model/vm.js';
import { authorBody, authorField, readBody } from '../api-bodies.js';
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
  author: authorField,
});

const resizeBody = z.strictObject({
  memoryMiB: z.int().min(1).max(67_108_864),
  relative: z.boolean(),
  author: authorField,
});

/** Commands, figures, memory and consoles of guests. */
export function guestRoutes({ runtime }: ApiOptions): Route[] {
  const exec = post('/v1/vms/:vm/exec', async (c) => {
    const { timeoutMs, ...command } = await readBody(c.env.incoming, execBody, MAX_BODY_BYTES);
    const vm = vmInPath(c, runtime);
    // A client that goes away waits for nothing; the command in the guest ends at its time.
    const result = await runtime.guests.exec({ vm, ...command, deadlineMs: timeoutMs });
    return c.json({ vm, ...result });
  });
  return [
    ...aboutVm({ ...exec, deadlineMs: MAX_TIMEOUT_MS + SLACK_MS }),
    ...aboutVm(
      get('/v1/vms/:vm/stats', async (c) => {
        const vm = vmInPath(c, runtime);
        const deadline = new Deadline(`resources of ${vm}`, { deadlineMs: STATS_MS });
        return c.json(statsView(vm, await runtime.guests.stats(vm, deadline.step())));
      }),
    ),
    ...aboutVm(
      post('/v1/vms/:vm/resize', async (c) => {
        const { memoryMiB: mib, relative, author } = await readBody(c.env.incoming, resizeBody);
        const vm = vmInPath(c, runtime);
        const options = { deadlineMs: STATS_MS };
        const memoryMiB = await runtime.guests.resize(vm, { mib, relative }, author, options);
        return c.json({ vm, memoryMiB });
      }),
    ),
    ...aboutVm(
      post('/v1/vms/:vm/console', async (c) => {
        const { author } = await readBody(c.env.incoming, authorBody);
        return c.json(await runtime.guests.console(vmInPath(c, runtime), author));
      }),
    ),
  ];
}

/** Percent of the processors, of the memory, and of the fullest file system that can be written; null: not told. */
function statsView(vm: VmId, resources: GuestResources): object {
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
