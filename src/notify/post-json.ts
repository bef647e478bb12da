import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { errnoOf, errorMessage } from '../model/errors.js';
import { given } from '../model/given.js';
import { mayPassLater } from '../model/http-status.js';
import { Undelivered } from './undelivered.js';

const CONNECT_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024;

export interface JsonPost {
  readonly url: string;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>>;
  readonly caFile?: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Sends JSON by HTTP; no redirect is followed, and certificates are checked. Rejects with Undelivered, which names the
 * host only: what follows it in the URL may be a secret.
 */
export async function postJson({ url, body, headers, caFile, signal }: JsonPost): Promise<void> {
  const { origin } = new URL(url);
  const ca = caFile === undefined ? undefined : await readCa(caFile);
  const connect = { timeout: CONNECT_MS, ...given({ ca }) };
  const agent = new Agent({ connect, maxResponseSize: MAX_ANSWER_BYTES, pipelining: 0 });
  try {
    const answer = await request(url, {
      method: 'POST',
      dispatcher: agent,
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      signal,
    });
    // What it says beside its status changes nothing.
    await answer.body.dump({ limit: MAX_ANSWER_BYTES, signal }).catch(() => {});
    const { statusCode: status } = answer;
    if (status >= 200 && status < 300) return;
    const isFinal = !mayPassLater(status);
    const retryAfterMs = retryAfter(answer.headers['retry-after']);
    throw new Undelivered(`${origin} answered with status ${status}`, { isFinal, retryAfterMs });
  } catch (error) {
    if (error instanceof Undelivered) throw error;
    throw new Undelivered(`${origin} cannot be reached: ${reasonOf(error)}`);
  } finally {
    await agent.destroy();
  }
}

async function readCa(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw new Undelivered(`${file} cannot be read: ${errorMessage(error)}`);
  });
}

/** Only what has no URL in it. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return 'no answer in time';
  return (errnoOf(error) || error.name).replace(/^UND_ERR_/, '');
}

/** Seconds or a date, as ms from now. */
function retryAfter(header: string | readonly string[] | undefined): number | undefined {
  if (typeof header !== 'string') return undefined;
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}
