import { createWriteStream } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { errorMessage, VmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';
import { failed, follow } from './follow.js';
import type { Part } from './part.js';

/** A source that sends nothing for so long is given up. */
const IDLE_MS = 60_000;

/** Parts and tags are those of the bytes that come, so they come as they are. */
const AS_IT_IS = { 'accept-encoding': 'identity' };

export interface DownloadOptions {
  readonly url: URL;
  /** Grows while the image comes; what is there is not asked for again. */
  readonly part: Part;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/**
 * Brings what is behind an HTTP URL into a file; goes on where a former attempt ended if the server still has the same.
 * Throws ERR_VMPULSE_STORAGE; what has come so far stays.
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { url, signal } = options;
  const idle = new AbortController();
  let timer = setTimeout(() => idle.abort(), IDLE_MS);
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => idle.abort(), IDLE_MS);
  };
  try {
    await bring({ ...options, signal: AbortSignal.any([signal, idle.signal]) }, alive);
  } catch (error) {
    if (error instanceof VmpulseError) throw error;
    if (signal.aborted)
      throw failed(url, 'it did not end in time, or was interrupted; the next pull goes on from here');
    throw failed(url, idle.signal.aborted ? `it sent nothing for ${IDLE_MS / 1000} s` : errorMessage(error));
  } finally {
    clearTimeout(timer);
    // Of an answer that was refused the rest is not waited for.
    idle.abort();
  }
}

async function bring({ url, part, maxBytes, signal }: DownloadOptions, alive: () => void): Promise<void> {
  const begun = await part.begun(url);
  const headers = begun && { range: `bytes=${begun.bytes}-`, 'if-range': begun.tag };
  const response = await follow(url, { ...AS_IT_IS, ...headers }, signal);
  const { statusCode: status = 0, headers: said } = response;
  const range = said['content-range'];
  // The server has nothing beyond what is here: it is whole.
  if (begun !== undefined && status === 416 && range === `bytes */${begun.bytes}`) return;
  const rest = status === 206 && begun !== undefined ? restFrom(begun.bytes, range) : undefined;
  if (rest === undefined && (status === 206 || status === 416)) {
    await part.forget();
    throw failed(url, 'it answers with another part than was asked for; the next pull begins anew');
  }
  if (status < 200 || status > 299) throw failed(url, `status ${status}`);
  const encoding = said['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') throw failed(url, `it sends the image packed (${plainText(encoding, 50)})`);
  const from = rest?.from ?? 0;
  const announced = Number(said['content-length'] ?? 0);
  if (from + announced > maxBytes) throw tooLarge(url, maxBytes);
  if (rest === undefined) await part.begin(url, tagOf(said));
  let at = from;
  const counted = async function* (body: AsyncIterable<Uint8Array>) {
    for await (const chunk of body) {
      alive();
      at += chunk.length;
      if (at > maxBytes) throw tooLarge(url, maxBytes);
      yield chunk;
    }
  };
  const file = createWriteStream(part.data, { flags: 'r+', start: from, flush: true });
  await pipeline(response, counted, file);
  if (rest !== undefined && at !== rest.total)
    throw failed(url, `it ended after ${at} of ${rest.total} bytes; the next pull goes on from here`);
}

/** What an answer has, where it begins as was asked for and says how much there is; it may be less than was asked for. */
function restFrom(
  from: number,
  range: string | undefined,
): { readonly from: number; readonly total: number } | undefined {
  const [, begin, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(range ?? '') ?? [];
  return begin !== undefined && Number(begin) === from ? { from, total: Number(total) } : undefined;
}

/** By what the server knows this version again; a weak tag does not promise the same bytes. */
function tagOf({ etag, 'last-modified': changed }: IncomingHttpHeaders): string | undefined {
  return etag !== undefined && !etag.startsWith('W/') ? etag : changed;
}

function tooLarge(url: URL, maxBytes: number): VmpulseError {
  return failed(url, `it is larger than ${maxBytes} bytes; allow more with --max-size`);
}
