import type { Endpoint } from '../engine/probe-engine.js';
import { given } from '../model/given.js';
import type { DocumentKind, StreamPlace, StreamTls } from '../model/probe.js';
import { hostField, portField, socketPathField } from './fields.js';
import { type CheckLookups, type LowerContext, missingContext } from './probe-kind.js';
import { hostPort, parseHostPort, parseSocketPath } from './target-text.js';

/** Fields of a document that say where a conversation is held. */
export const placeFields = {
  host: hostField.optional(),
  port: portField.optional(),
  unixSocket: socketPathField.optional(),
} as const;

interface WrittenPlace {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly unixSocket?: string | undefined;
}

/** A place of what was written. */
export function toPlace({ host, port, unixSocket }: WrittenPlace): StreamPlace {
  return {
    ...given({ host, port, unixSocket }),
  };
}

/** Rules between these fields: the field that is wrong, and the message. */
export function* placeConflicts(
  place: WrittenPlace,
): Iterable<readonly [field: keyof WrittenPlace, message: string]> {
  if (place.unixSocket === undefined) {
    if (place.port === undefined) yield ['port', 'is missing; write a port such as 8080'];
    return;
  }
  for (const field of ['host', 'port'] as const)
    if (place[field] !== undefined) yield [field, 'cannot stand beside unixSocket; remove one of them'];
}

/** What must be known before a conversation can be held there. */
export function placeLookups(place: StreamPlace): CheckLookups {
  if (place.unixSocket !== undefined) return {};
  return place.host === undefined ? { vmAddress: true } : { host: place.host };
}

/** What a verifying TLS client must be given. */
export function tlsLookups(tls: StreamTls | undefined): CheckLookups {
  if (tls?.caFile !== undefined) return { caFile: tls.caFile };
  return tls?.verify === true ? { hostCa: true } : {};
}

export function placeEndpoint(kind: DocumentKind, place: StreamPlace, { address }: LowerContext): Endpoint {
  if (place.unixSocket !== undefined) return { unix: place.unixSocket };
  if (address === undefined || place.port === undefined) throw missingContext(kind, 'an address');
  return { ip: address, port: place.port };
}

/** The bundle that was looked up for a check. */
export function bundleOf(
  kind: DocumentKind,
  tls: StreamTls | undefined,
  { caPem }: LowerContext,
): { readonly caPem?: string } {
  if (tls?.caFile !== undefined && caPem === undefined)
    throw missingContext(kind, `the contents of ${tls.caFile}`);
  return caPem === undefined ? {} : { caPem };
}

/** Reads `host:port`, `[v6]:port` or `unix:/path`. Throws ERR_VMPULSE_USAGE. */
export function parsePlace(text: string, name: string, help: string): StreamPlace {
  return text.startsWith('unix:')
    ? { unixSocket: parseSocketPath(text.slice('unix:'.length), name, help) }
    : parseHostPort(text, name, help);
}

/** For a person, for example `192.0.2.10:25`. */
export function placeText({ host, port = 0, unixSocket }: StreamPlace): string {
  if (unixSocket !== undefined) return unixSocket;
  return host === undefined ? `port ${port}` : hostPort(host, port);
}
