import { open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { errorMessage, VmpulseError } from '../model/errors.js';

/** A source that sends nothing for so long is given up. */
const IDLE_MS = 60_000;

export interface DownloadOptions {
  readonly url: URL;
  /** Grows while the image comes; what is there is not asked for again. */
  readonly path: string;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/**
 * Brings what is behind an HTTP URL into a file; goes on where a former attempt ended if the server still has the same.
 * Throws ERR_VMPULSE_STORAGE; what has come so far stays.
 */
export async function download({ url, path, maxBytes, signal }: DownloadOptions): Promise<void> {
  const have = await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
  const version = have > 0 ? await readFile(`${path}.version`, 'utf8').catch(() => '') : '';
  const resumes = have > 0 && version !== '';
  const headers = resumes ? { range: `bytes=${have}-`, 'if-range': version } : {};
  const idle = new AbortController();
  const either = AbortSignal.any([signal, idle.signal]);
  let timer = setTimeout(() => idle.abort(), IDLE_MS);
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => idle.abort(), IDLE_MS);
  };
  try {
    const response = await fetch(url, { headers, signal: either, redirect: 'follow' });
    // The server has nothing beyond what is here: it is whole.
    if (resumes && response.status === 416) return;
    if (!response.ok || response.body === null) throw failed(url, `status ${response.status}`);
    if (url.protocol === 'https:' && !response.url.startsWith('https:'))
      throw failed(url, 'it leads to a place that is not encrypted');
    const isRest = response.status === 206;
    const from = isRest ? have : 0;
    const announced = Number(response.headers.get('content-length') ?? 0);
    if (from + announced > maxBytes) throw tooLarge(url, maxBytes);
    await rememberVersion(path, response.headers);
    await append(
      response.body,
      path,
      from,
      () => alive(),
      (bytes) => {
        if (bytes > maxBytes) throw tooLarge(url, maxBytes);
      },
    );
  } catch (error) {
    if (error instanceof VmpulseError) throw error;
    if (signal.aborted)
      throw failed(url, 'it did not end in time, or was interrupted; the next pull goes on from here');
    throw failed(url, idle.signal.aborted ? `it sent nothing for ${IDLE_MS / 1000} s` : reasonOf(error));
  } finally {
    clearTimeout(timer);
  }
}

async function append(
  body: AsyncIterable<Uint8Array>,
  path: string,
  from: number,
  alive: () => void,
  check: (bytes: number) => void,
): Promise<void> {
  const file = await open(path, from === 0 ? 'w' : 'r+', 0o600);
  try {
    let at = from;
    for await (const chunk of body) {
      alive();
      check(at + chunk.length);
      await file.write(chunk, 0, chunk.length, at);
      at += chunk.length;
    }
    await file.truncate(at);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** By what the server knows this version again; a weak tag does not promise the same bytes. */
async function rememberVersion(path: string, headers: Headers): Promise<void> {
  const tag = headers.get('etag');
  const version = tag !== null && !tag.startsWith('W/') ? tag : headers.get('last-modified');
  if (version === null) await rm(`${path}.version`, { force: true });
  else await writeFile(`${path}.version`, version, { mode: 0o600 });
}

/** fetch says only that it failed; why is the cause's. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return errorMessage(cause);
}

function tooLarge(url: URL, maxBytes: number): VmpulseError {
  return failed(url, `it is larger than ${maxBytes} bytes; allow more with --max-size`);
}

function failed(url: URL, why: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_STORAGE', `${shownUrl(url)}: ${why}`);
}

/** Without what lets somebody in. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
