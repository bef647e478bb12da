import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';

/** Where something is served by TCP. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const TEXT = /^(?:\[(?<v6>[^\]]*)\]|(?<v4>[^:]*)):(?<port>[0-9]{1,5})$/;

/** `isAddress`: the host is an IP address. */
interface Split extends ListenAddress {
  readonly isAddress: boolean;
}

/** What is wrong, and what to do about it. */
type Problem = readonly [what: string, remedy: string];

/** Host and port as they are written; undefined where there is no port. */
function split(text: string): Split | undefined {
  const { v6, v4 = '', port: digits = '' } = TEXT.exec(text)?.groups ?? {};
  const host = v6 ?? v4;
  const port = Number(digits);
  if (port < 1 || port > 65_535) return undefined;
  return { host, port, isAddress: v6 === undefined ? isIPv4(host) : isIPv6(host) };
}

/** As the fields below take it. */
export function listenAddressText({ host, port }: ListenAddress): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

function listenField(example: string, problemOf: (found: Split, none: Problem) => Problem | undefined) {
  const none: Problem = ['is not an address with a port', `write one such as ${example}`];
  return z
    .string()
    .transform((text, ctx): ListenAddress => {
      const found = split(text);
      const problem = found === undefined ? none : problemOf(found, none);
      if (found !== undefined && problem === undefined) return { host: found.host, port: found.port };
      const [what, remedy] = problem ?? none;
      ctx.issues.push({ code: 'custom', message: `${what} ("${text}"); ${remedy}`, input: text });
      return z.NEVER;
    })
    .meta({ unit: 'address:port', example });
}

/** Where TLS protects who comes: any address of the host. */
export const tlsListenField = listenField('192.0.2.1:9443', ({ isAddress }, none) =>
  isAddress ? undefined : none,
);

/** For those on this host only. */
export const loopbackListenField = listenField('127.0.0.1:9810', ({ host, port, isAddress }) =>
  isAddress && (host.startsWith('127.') || host === '::1')
    ? undefined
    : ['is not on loopback', `write 127.0.0.1:${port}, and let a proxy with authentication serve others`],
);

/** Where guests reach this host: an address of its own, not all of them. */
export const guestListenField = listenField('192.0.2.1:9811', ({ host, isAddress }, none) => {
  if (!isAddress) return none;
  return host === '0.0.0.0' || /^[0:]+$/.test(host)
    ? ['is on every address', 'write the one that the guests reach, such as that of their bridge']
    : undefined;
});
