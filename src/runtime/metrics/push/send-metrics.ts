import type { Readable } from 'node:stream';
import { request } from 'undici';
import { Deadline } from '../../../model/deadline.js';
import { errorMessage, VmpulseError } from '../../../model/errors.js';
import { mayPassLater } from '../../../model/http-status.js';
import { plainText } from '../../../model/plain-text.js';
import type { CallOptions } from '../../../model/ports.js';
import { parseExposition } from '../exposition.js';
import { writeRequests } from './write-requests.js';

/** Plain data: it travels to a thread of the pool. */
export interface PushTask {
  /** Where remote write is taken; without a path that of Prometheus, `/api/v1/write`. */
  readonly endpoint: string;
  /** Sent as `Authorization: Bearer`; unset: nothing is. */
  readonly token?: string | undefined;
  /** Added to every series, for example `job` and `instance`. */
  readonly labels: Readonly<Record<string, string>>;
  /** The text format of Prometheus, UTF-8. */
  readonly text: Uint8Array;
  /** When that was read, wall-clock ms. */
  readonly atMs: number;
}

const WRITE_PATH = '/api/v1/write';
const TRY_MS = 5_000;
const FIRST_PAUSE_MS = 200;
const MAX_PAUSE_MS = 5_000;
/** Of a refusal, so much is read and told. */
const MAX_ANSWER_BYTES = 300;

/** The URL that is written to, or undefined for what is no http or https URL. */
export function writeUrl(endpoint: string): URL | undefined {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return undefined;
  if (url.pathname === '/') url.pathname = WRITE_PATH;
  return url;
}

/**
 * Sends everything once. What a receiver refuses for a while (no connection, 408, 425, 429, 5xx) is tried again until the deadline;
 * what it refuses for good is not. Rejects with ERR_VMPULSE_ARGUMENT, ERR_VMPULSE_COMMAND when refused,
 * ERR_VMPULSE_TIMEOUT, ERR_VMPULSE_ABORTED.
 */
export async function sendMetrics(task: PushTask, options: CallOptions): Promise<void> {
  const url = writeUrl(task.endpoint);
  if (url === undefined) {
    throw new VmpulseError(
      'ERR_VMPULSE_ARGUMENT',
      `"${plainText(task.endpoint)}" is no endpoint; write for example http://prometheus:9090`,
    );
  }
  const deadline = new Deadline(`sending metrics to ${url.host}`, options);
  const families = parseExposition(Buffer.from(task.text).toString());
  for (const body of writeRequests(families, task.labels, task.atMs))
    await sendOne(url, task.token, body, deadline);
}

async function sendOne(
  url: URL,
  token: string | undefined,
  body: Uint8Array,
  deadline: Deadline,
): Promise<void> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(MAX_PAUSE_MS, 2 * pauseMs)) {
    const refused = await attempt(url, token, body, deadline.step(TRY_MS));
    if (refused === undefined) return;
    if (!refused.mayPass) throw new VmpulseError('ERR_VMPULSE_COMMAND', refused.why);
    if (deadline.remainingMs() <= pauseMs)
      throw new VmpulseError('ERR_VMPULSE_TIMEOUT', `${refused.why}; given up for this time`);
    await deadline.sleep(pauseMs);
  }
}

interface Refused {
  readonly why: string;
  readonly mayPass: boolean;
}

async function attempt(
  url: URL,
  token: string | undefined,
  body: Uint8Array,
  { deadlineMs, signal }: CallOptions,
): Promise<Refused | undefined> {
  const timeout = AbortSignal.timeout(deadlineMs);
  try {
    const answer = await request(url, {
      method: 'POST',
      headers: {
        'content-encoding': 'snappy',
        'content-type': 'application/x-protobuf',
        'user-agent': 'vmpulse',
        'x-prometheus-remote-write-version': '0.1.0',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body,
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
    });
    const { statusCode } = answer;
    // It is taken, whatever becomes of the words about it.
    const said = await beginningOf(answer.body).catch(() => '');
    if (statusCode >= 200 && statusCode < 300) return undefined;
    const why = `${url.host} answers ${statusCode}: ${plainText(said.trim(), MAX_ANSWER_BYTES)}`;
    return { why, mayPass: mayPassLater(statusCode) };
  } catch (error) {
    return { why: `${url.host} cannot be reached: ${errorMessage(error)}`, mayPass: true };
  }
}

async function beginningOf(body: Readable): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    const part = Buffer.from(chunk);
    parts.push(part);
    bytes += part.byteLength;
    if (bytes >= MAX_ANSWER_BYTES) break;
  }
  return Buffer.concat(parts).toString();
}
