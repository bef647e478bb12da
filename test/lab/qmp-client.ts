import { z } from 'zod';
import { LineClient } from './line-client.js';

const MESSAGE = z.union([
  z.object({ QMP: z.unknown() }),
  z.object({ event: z.string(), data: z.record(z.string(), z.unknown()).default({}) }),
  z.object({ return: z.unknown() }),
  z.object({ error: z.object({ class: z.string(), desc: z.string() }) }),
]);

/** An event of QEMU. */
export interface QmpEvent {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A small QMP client for tests: one request at a time, events kept in the order of arrival. */
export class QmpClient {
  readonly events: QmpEvent[] = [];
  readonly #lines: LineClient;

  private constructor(lines: LineClient) {
    this.#lines = lines;
  }

  static async connect(path: string): Promise<QmpClient> {
    const client = new QmpClient(await LineClient.connect(path));
    await client.#read(5_000);
    await client.execute('qmp_capabilities');
    return client;
  }

  /** Runs a command. @returns what QEMU returned @throws on an error reply or after 5 s */
  async execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    this.#lines.send(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    for (;;) {
      const message = await this.#read(5_000);
      if ('return' in message) return message.return;
      if ('error' in message) throw new Error(`${command}: ${message.error.class}: ${message.error.desc}`);
    }
  }

  /** The run state, as query-status names it. */
  async status(): Promise<string> {
    return z.object({ status: z.string() }).parse(await this.execute('query-status')).status;
  }

  /** Waits for an event, also one that arrived since `events` was last emptied. */
  async waitEvent(name: string, deadlineMs: number): Promise<QmpEvent> {
    const until = Date.now() + deadlineMs;
    for (;;) {
      const found = this.events.find((event) => event.name === name);
      if (found !== undefined) return found;
      await this.#read(until - Date.now());
    }
  }

  close(): void {
    this.#lines.close();
  }

  async #read(deadlineMs: number): Promise<z.infer<typeof MESSAGE>> {
    const message = MESSAGE.parse(JSON.parse(await this.#lines.next(deadlineMs)));
    if ('event' in message) this.events.push({ name: message.event, data: message.data });
    return message;
  }
}
