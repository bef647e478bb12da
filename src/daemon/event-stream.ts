import type { ServerResponse } from 'node:http';
import { VmpulseError } from '../model/errors.js';
import { given } from '../model/given.js';
import type { VmId } from '../model/vm.js';
import type { RuntimeApi, RuntimeEvent } from '../runtime/views.js';

/** What may wait for one client; a slower one is cut off and may come back with Last-Event-ID. */
export const MAX_PENDING_BYTES = 1024 * 1024;
/** A comment this often tells both sides that the other is there, ms. */
export const HEARTBEAT_MS = 15_000;

export interface EventStreamOptions {
  readonly runtime: RuntimeApi;
  /** Names the run that ids count in: they begin again with every daemon. */
  readonly run: number;
  /** See resumeAfter. */
  readonly afterId: number | undefined;
  readonly vm: VmId | undefined;
  /** Ends every stream, for the end of the daemon. */
  readonly signal: AbortSignal;
  /** Whether the client may still listen, asked with every sign of life; it is cut off once it may not. */
  readonly mayListen: () => Promise<boolean>;
}

/**
 * The number after which a client wants events: of this run what it has not seen, of an earlier one all that is left.
 * Undefined: only what comes from now on. Throws ERR_VMPULSE_ARGUMENT for an id that was never given out.
 */
export function resumeAfter(lastEventId: string | undefined, run: number): number | undefined {
  if (lastEventId === undefined) return undefined;
  const match = /^(\d{1,15})-(\d{1,15})$/.exec(lastEventId);
  if (!match) {
    throw new VmpulseError(
      'ERR_VMPULSE_ARGUMENT',
      'Last-Event-ID is no id of this stream; give the last `id:` as it came',
    );
  }
  return Number(match[1]) === run ? Number(match[2]) : 0;
}

/** Sends events to one client until it goes, falls behind, or the signal fires. */
export async function streamEvents(response: ServerResponse, options: EventStreamOptions): Promise<void> {
  const { runtime, run, afterId, vm } = options;
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const signal = AbortSignal.any([gone.signal, options.signal]);
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.write('retry: 1000\n\n');
  const heartbeat = setInterval(async () => {
    if (await options.mayListen()) response.write(':\n\n');
    else response.destroy();
  }, HEARTBEAT_MS).unref();
  try {
    const events = runtime.events({ ...given({ afterId }), signal });
    for await (const event of events) {
      if (vm !== undefined && event.vm !== vm) continue;
      response.write(format(event, run));
      if (response.writableLength > MAX_PENDING_BYTES) {
        response.destroy();
        return;
      }
    }
  } finally {
    clearInterval(heartbeat);
    response.end();
  }
}

function format(event: RuntimeEvent, run: number): string {
  return `id: ${run}-${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
