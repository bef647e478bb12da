import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { onTestFinished } from 'vitest';
import { ProbeEngine, type ProbeEngineOptions } from '../../../src/engine/index.js';
import type { Due, EngineEvent, Target, TargetCheck, Transition } from '../../../src/engine/probe-engine.js';
import type { ProbeState } from '../../../src/model/outcome.js';

/** Longest wait for anything; generous because the machine may be busy. */
export const PATIENCE_MS = 20_000;

/**
 * An engine that is closed when the test ends. By default it does not call itself late on a busy machine, as silence means
 * something in most tests.
 */
export function openEngine(options: ProbeEngineOptions = {}): ProbeEngine {
  const engine = new ProbeEngine({ engine: 'native', lateMs: 10_000, ...options });
  onTestFinished(() => engine.close());
  return engine;
}

/** A target that is probed every 100 ms. */
export function target(id: string, check: TargetCheck, timing: Partial<Target['timing']> = {}): Target {
  return {
    id,
    check,
    timing: {
      initialDelayMs: 0,
      periodMs: 100,
      timeoutMs: 95,
      successThreshold: 1,
      failureThreshold: 2,
      ...timing,
    },
    startState: 'unknown',
  };
}

export function tcpCheck(port: number): TargetCheck {
  return { kind: 'tcpSocket', endpoint: { ip: '127.0.0.1', port }, close: 'rst' };
}

/** A TCP server on loopback, closed when the test ends. */
export async function tcpServer(port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => socket.on('error', () => {}));
  return { server, port: await listen(server, port) };
}

/** Lets a server listen on loopback until the test ends; gives its port. */
export async function listen(server: Server, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return portOf(server.address());
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('not a TCP server');
  return address.port;
}

/** Reads events one by one, each within the patience of the tests. */
export class Events {
  readonly #batches: AsyncIterableIterator<readonly EngineEvent[]>;
  #rest: EngineEvent[] = [];

  constructor(engine: ProbeEngine) {
    this.#batches = engine.transitions();
  }

  async next(): Promise<EngineEvent> {
    while (this.#rest.length === 0) {
      const batch = await within(this.#batches.next(), 'an event');
      if (batch.done === true) throw new Error('the events ended');
      this.#rest = [...batch.value];
    }
    const [first, ...rest] = this.#rest;
    this.#rest = rest;
    if (first === undefined) throw new Error('a batch is never empty');
    return first;
  }

  /** The next transition of a target to a state. */
  async until(handle: number, to: ProbeState): Promise<Transition> {
    for (;;) {
      const event = await this.next();
      if (event.type === 'transition' && event.handle === handle && event.to === to) return event;
    }
  }

  async due(handle: number): Promise<Due> {
    for (;;) {
      const event = await this.next();
      if (event.type === 'due' && event.handle === handle) return event;
    }
  }
}

/** Rejects when a promise takes longer than the patience of the tests. */
export async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Polls a condition. */
export async function eventually<T>(look: () => T | undefined | false, what: string): Promise<T> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
