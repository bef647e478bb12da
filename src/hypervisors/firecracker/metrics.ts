import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { z } from 'zod';
import type { GuestCounter } from '../../model/ports.js';

/** One flush is about 6 KB; Firecracker flushes by itself once a minute. */
const MAX_BYTES = 1024 * 1024;

const count = z.number().nonnegative().catch(0);
const LINE = z.object({
  block: z.object({ read_count: count, write_count: count, flush_count: count }).optional(),
  net: z.object({ tx_packets_count: count }).optional(),
});

/**
 * Totals of what Firecracker writes to its metrics: each line has what happened since the line before, so they are added
 * up from where this begins to read.
 */
export class MetricsTotals {
  readonly #path: string;
  #position: number | undefined;
  #disk = 0;
  #network = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes what was written since the last call; the first call only finds where it begins. */
  async read(): Promise<readonly GuestCounter[]> {
    const file = await open(this.#path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { size } = await file.stat();
      const from = Math.max(size - MAX_BYTES, Math.min(this.#position ?? size, size));
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
      const text = buffer.toString('latin1', 0, bytesRead);
      const end = text.lastIndexOf('\n') + 1;
      this.#position = from + end;
      for (const line of text.slice(0, end).split('\n')) this.#add(line);
    } finally {
      await file.close();
    }
    return [
      { name: 'disks', value: this.#disk },
      { name: 'network', value: this.#network },
    ];
  }

  #add(line: string): void {
    // A file that was emptied meanwhile begins with a hole.
    const text = line.replace(/^\0+/, '');
    if (text === '') return;
    const found = LINE.safeParse(parse(text)).data;
    const { block, net } = found ?? {};
    if (block) this.#disk += block.read_count + block.write_count + block.flush_count;
    if (net) this.#network += net.tx_packets_count;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
