import { VmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';
import { hostProblem, socketPathProblem } from './fields.js';

/** A target that does not fit: what is wrong, and what it must look like. */
export function targetError(name: string, text: string, problem: string, help: string): VmpulseError {
  return new VmpulseError(
    'ERR_VMPULSE_USAGE',
    `the target "${plainText(text)}" of a ${name} probe ${problem}; give ${help}`,
  );
}

/** Reads a decimal port, 1 to 65535. */
function parsePort(text: string): number | undefined {
  if (!/^[0-9]{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port >= 1 && port <= 65_535 ? port : undefined;
}

/** Reads a host without a port. Throws ERR_VMPULSE_USAGE. */
export function parseHost(text: string, name: string, help: string): string {
  const wrong = hostProblem(text);
  if (wrong !== undefined) throw targetError(name, text, wrong.split(';')[0] ?? wrong, help);
  return text;
}

/** Reads `host:port` or `[v6]:port`. Throws ERR_VMPULSE_USAGE. */
export function parseHostPort(
  text: string,
  name: string,
  help: string,
): { readonly host: string; readonly port: number } {
  const match = /^(?:\[(?<v6>[^\]]*)\]|(?<host>[^:[\]]+)):(?<port>[^:]*)$/.exec(text);
  const host = match?.groups?.v6 ?? match?.groups?.host;
  if (match === null || host === undefined) {
    const colons = text.split(':').length - 1;
    const problem =
      colons > 1 ? 'has more than one colon (an IPv6 address stands in brackets)' : 'has no port';
    throw targetError(name, text, problem, help);
  }
  const wrong = hostProblem(host);
  if (wrong !== undefined) throw targetError(name, text, `has a host that ${wrong.split(';')[0]}`, help);
  const port = parsePort(match.groups?.port ?? '');
  if (port === undefined) throw targetError(name, text, 'has no port between 1 and 65535', help);
  return { host, port };
}

/** Reads the absolute path of a Unix socket. Throws ERR_VMPULSE_USAGE. */
export function parseSocketPath(text: string, name: string, help: string): string {
  const wrong = socketPathProblem(text);
  if (wrong !== undefined) throw targetError(name, text, wrong.split(';')[0] ?? wrong, help);
  return text;
}

/** An address in front of a port. */
export function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
