import { readFileSync } from 'node:fs';
import { errorMessage, VmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';
import { DEFAULT_SOCKET, type Environment } from './environment.js';

/** Where a daemon is, and what it wants to see. */
export type DaemonPlace =
  | { readonly socketPath: string }
  | { readonly origin: string; readonly token: string | undefined; readonly ca: Buffer | undefined };

/** Options that say where the daemon is. */
export interface PlaceOptions {
  readonly socket?: string;
  readonly url?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
}

/**
 * The daemon that a command is for: --socket or --url, else VMPULSE_SOCKET or VMPULSE_URL, else the usual socket.
 * Throws ERR_VMPULSE_USAGE.
 */
export function daemonPlace(options: PlaceOptions, environment: Environment): DaemonPlace {
  const { socket, url: asked, tokenFile, ca } = options;
  if (socket !== undefined && asked !== undefined)
    throw usage('--socket and --url are two daemons; give one');
  const url = asked ?? (socket === undefined ? environment.url : undefined);
  if (url === undefined && (tokenFile ?? ca) !== undefined)
    throw usage('--token-file and --ca are of a daemon by HTTPS; give its --url with them');
  if (url === undefined) return { socketPath: socket ?? environment.socketPath ?? DEFAULT_SOCKET };
  return {
    origin: originOf(url),
    token: tokenFile === undefined ? environment.token : read('--token-file', tokenFile).toString().trim(),
    ca: ca === undefined ? undefined : read('--ca', ca),
  };
}

function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' && url.pathname === '/' && url.search === '' && url.username === '')
    return url.origin;
  throw usage(`"${plainText(text)}" is no place of a daemon; write one such as https://192.0.2.1:9443`);
}

function read(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw usage(`${option} ${plainText(path)} cannot be read: ${errorMessage(error)}`);
  }
}

function usage(message: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_USAGE', message);
}
