import { z } from 'zod';
import { LineClient } from './line-client.js';

const STATUS = z.object({
  exited: z.boolean(),
  exitcode: z.number().optional(),
  'out-data': z.string().default(''),
  'err-data': z.string().default(''),
});

/** A small guest agent client for tests: one request at a time. */
export class QgaClient {
  readonly #lines: LineClient;

  private constructor(lines: LineClient) {
    this.#lines = lines;
  }

  /** Connects and synchronises, which drops what earlier clients left behind. */
  static async connect(path: string, { deadlineMs = 10_000 } = {}): Promise<QgaClient> {
    const client = new QgaClient(await LineClient.connect(path));
    const id = Math.floor(Math.random() * 1e9);
    client.#lines.send(`\xff${JSON.stringify({ execute: 'guest-sync-delimited', arguments: { id } })}\n`);
    try {
      for (;;) {
        const line = await client.#lines.next(deadlineMs);
        if (line.startsWith('\xff') && line.replace(' ', '').includes(`"return":${id}}`)) return client;
      }
    } catch (error) {
      // The agent's socket takes one client: one left open would shut out the next.
      client.close();
      throw error;
    }
  }

  /** Runs a command. @throws on an error reply, or without a reply within 5 s */
  async execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    this.post(command, args);
    const reply = z
      .union([z.object({ return: z.unknown() }), z.object({ error: z.object({ desc: z.string() }) })])
      .parse(JSON.parse(await this.#lines.next(5_000)));
    if ('error' in reply) throw new Error(`${command}: ${reply.error.desc}`);
    return reply.return;
  }

  /** Sends a command that has no reply, such as guest-shutdown. */
  post(command: string, args: Readonly<Record<string, unknown>> = {}): void {
    this.#lines.send(`${JSON.stringify({ execute: command, arguments: args })}\n`);
  }

  /** Runs a program in the guest and waits for its end, at most 10 s. */
  async run(path: string, ...arg: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
    const started = await this.execute('guest-exec', { path, arg, 'capture-output': true });
    const { pid } = z.object({ pid: z.number() }).parse(started);
    const until = Date.now() + 10_000;
    while (Date.now() < until) {
      const status = STATUS.parse(await this.execute('guest-exec-status', { pid }));
      if (status.exited) {
        const text = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');
        return {
          exitCode: status.exitcode ?? -1,
          stdout: text(status['out-data']),
          stderr: text(status['err-data']),
        };
      }
    }
    throw new Error(`${path} did not end within 10 s`);
  }

  close(): void {
    this.#lines.close();
  }
}
