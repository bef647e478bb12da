import { statSync } from 'node:fs';
import { Pool } from 'undici';
import { z } from 'zod';
import { errnoOf, errorMessage, isErrorCode, VmpulseError } from '../model/errors.js';
import { given } from '../model/given.js';
import { parseJson } from '../model/parse-json.js';
import type { DaemonPlace } from './daemon-place.js';
import { type EventBlock, readEventBlocks } from './event-blocks.js';

/** Longest wait for an answer, ms. */
const DEADLINE_MS = 10_000;
/** A daemon that reloads reads many files first. */
const SLOW_MS: ReadonlyMap<string, number> = new Map([
  ['/v1/reload', 60_000],
  ['/v1/apply', 120_000],
  ['/v1/config', 120_000],
  ['/v1/plans', 120_000],
]);
/** A stream of events has a sign of life every 15 s, ms. */
const SILENCE_MS = 60_000;
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

const errorBody = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

/** Talks to a daemon, on its Unix socket or by HTTPS. Close it after use. */
export class DaemonClient {
  readonly #place: DaemonPlace;
  readonly #pool: Pool;

  constructor(place: DaemonPlace) {
    this.#place = place;
    const isLocal = 'socketPath' in place;
    this.#pool = new Pool(isLocal ? 'http://localhost' : place.origin, {
      ...(isLocal ? { socketPath: place.socketPath } : { connect: { ...(place.ca && { ca: place.ca }) } }),
      // A stream of events, and requests beside it; a command in many VMs is as many of them.
      connections: 20,
      connectTimeout: DEADLINE_MS,
      maxResponseSize: MAX_ANSWER_BYTES,
    });
  }

  /**
   * Asks, and checks the answer. Errors: ERR_VMPULSE_DAEMON_UNREACHABLE, the daemon's own coded errors, and
   * ERR_VMPULSE_INTERNAL for an answer that does not fit (a daemon of another version).
   */
  async get<T>(path: string, schema: z.ZodType<T>, deadlineMs = DEADLINE_MS): Promise<T> {
    return this.#ask('GET', path, undefined, schema, deadlineMs);
  }

  /** As get(), for an answer that is no JSON. */
  async text(path: string): Promise<string> {
    return this.#answer('GET', path, undefined, DEADLINE_MS);
  }

  /** As get(), with a command. */
  async post<T>(
    path: string,
    body: unknown,
    schema: z.ZodType<T>,
    deadlineMs = SLOW_MS.get(path) ?? DEADLINE_MS,
  ): Promise<T> {
    return this.#ask('POST', path, JSON.stringify(body), schema, deadlineMs);
  }

  /** Events from now on, until the signal fires. Rejects with ERR_VMPULSE_DAEMON_UNREACHABLE when the daemon ends. */
  async *events(signal: AbortSignal): AsyncIterableIterator<EventBlock> {
    const path = '/v1/events';
    const timeouts = { headersTimeout: DEADLINE_MS, bodyTimeout: SILENCE_MS };
    const { statusCode, body } = await this.#reach(
      this.#pool.request({ method: 'GET', path, signal, headers: this.#headers(), ...timeouts }),
    );
    if (statusCode !== 200) throw refusal(statusCode, await this.#reach(body.text()));
    const blocks = readEventBlocks(body);
    for (;;) {
      const next = await this.#reach(blocks.next());
      if (next.done)
        throw new VmpulseError(
          'ERR_VMPULSE_DAEMON_UNREACHABLE',
          `the daemon on ${nameOf(this.#place)} has ended`,
        );
      yield next.value;
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #ask<T>(
    method: 'GET' | 'POST',
    path: string,
    body: string | undefined,
    schema: z.ZodType<T>,
    deadlineMs: number,
  ): Promise<T> {
    const text = await this.#answer(method, path, body, deadlineMs);
    const checked = schema.safeParse(parseJson(text));
    if (checked.success) return checked.data;
    const where = checked.error.issues.map(({ path: at }) => at.join('.') || 'answer').slice(0, 3);
    throw new VmpulseError(
      'ERR_VMPULSE_INTERNAL',
      `the daemon's answer to ${path} does not fit (${where.join(', ')}); is it of another version than this command?`,
    );
  }

  async #answer(
    method: 'GET' | 'POST',
    path: string,
    body: string | undefined,
    deadlineMs: number,
  ): Promise<string> {
    const signal = AbortSignal.timeout(deadlineMs);
    const request = this.#pool.request({
      method,
      path,
      signal,
      headersTimeout: deadlineMs,
      headers: this.#headers(),
      ...given({ body }),
    });
    const answer = await this.#reach(request);
    const text = await this.#reach(answer.body.text());
    if (answer.statusCode !== 200) throw refusal(answer.statusCode, text);
    return text;
  }

  #headers(): Record<string, string> {
    const token = 'token' in this.#place ? this.#place.token : undefined;
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  async #reach<T>(promise: Promise<T>): Promise<T> {
    try {
      return await promise;
    } catch (error) {
      throw new VmpulseError('ERR_VMPULSE_DAEMON_UNREACHABLE', whyUnreachable(this.#place, error), {
        cause: error,
      });
    }
  }
}

function nameOf(place: DaemonPlace): string {
  return 'socketPath' in place ? place.socketPath : place.origin;
}

function whyUnreachable(place: DaemonPlace, error: unknown): string {
  const code = errnoOf(error);
  const path = nameOf(place);
  if (!('socketPath' in place)) {
    const isUntrusted = /CERT|SELF_SIGNED|ALTNAME|ISSUER|VERIFY/.test(code);
    const remedy = isUntrusted ? '; give the authority of its certificate with --ca' : '';
    return `the daemon on ${path} cannot be reached: ${errorMessage(error)}${remedy}`;
  }
  const start = 'start it with vmpulse run, or name its socket with --socket or VMPULSE_SOCKET';
  if (code === 'ENOENT') return `no daemon serves ${path}: there is no such socket; ${start}`;
  if (code === 'ECONNREFUSED' && !isSocket(path))
    return `${path} is no socket; name the daemon's with --socket`;
  if (code === 'ECONNREFUSED') return `no daemon serves ${path}: it has ended; ${start}`;
  if (code === 'EACCES')
    return `this user may not use ${path}; run as root or as a member of the socket's group`;
  if (error instanceof Error && error.name === 'TimeoutError')
    return `the daemon on ${path} does not answer; look at its log`;
  return `the daemon on ${path} cannot be reached: ${errorMessage(error)}`;
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

/** The error that the daemon told, under the code it gave. */
function refusal(status: number, text: string): VmpulseError {
  const told = errorBody.safeParse(parseJson(text));
  if (told.success && isErrorCode(told.data.error.code))
    return new VmpulseError(told.data.error.code, told.data.error.message);
  return new VmpulseError(
    'ERR_VMPULSE_INTERNAL',
    `the daemon answered with status ${status}; its log may tell more`,
  );
}
