import { isIP } from 'node:net';
import type { Target, TargetCheck } from '../engine/index.js';
import { VmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';

/** What is measured, by the name it has on the command line. */
export const BENCH_KINDS = ['tcp', 'tcp-fin', 'half-open', 'icmp', 'http', 'https'] as const;
export type BenchKind = (typeof BENCH_KINDS)[number];

/** Where a probe goes: an IP literal and a port (0: none). */
export interface Place {
  readonly ip: string;
  readonly port: number;
}

/** Addresses of 127.0.0.0/8 that differ, from 127.1.0.0 on. */
export const MAX_LOOPBACK_TARGETS = 1_000_000;
const MAX_LISTED = 1_000_000;
const MAX_TIMEOUT_MS = 1_000;
/** One echo a probe, as long as that of ping. */
const PING = { count: 1, payloadBytes: 56 } as const;

/** `count` places on loopback, all at one port. */
export function loopbackPlaces(count: number, port: number): Place[] {
  return Array.from({ length: count }, (_, n) => ({
    ip: `127.${1 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`,
    port,
  }));
}

/**
 * Reads a list of places, `ip:port` or `[ipv6]:port` a line, for ICMP also addresses alone; `#` begins a comment. Throws ERR_VMPULSE_USAGE with the
 * line of the first mistake.
 */
export function parsePlaces(text: string, file: string, kind: BenchKind): Place[] {
  const places: Place[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const entry = line.replace(/#.*/, '').trim();
    if (entry === '') continue;
    const isAddress = kind === 'icmp' && isIP(entry) !== 0;
    places.push(isAddress ? { ip: entry, port: 0 } : parsePlace(entry, `${file}:${index + 1}`));
    if (places.length > MAX_LISTED) throw usage(`${file} has more than ${MAX_LISTED} targets`);
  }
  if (places.length === 0) throw usage(`${file} has no targets; write ip:port, one a line`);
  return places;
}

function parsePlace(entry: string, where: string): Place {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(entry);
  const ip = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3] ?? 0);
  const family = match?.[1] === undefined ? 4 : 6;
  if (isIP(ip) !== family || port < 1 || port > 65_535) {
    throw usage(
      `${where}: "${plainText(entry)}" is no target; write an address and a port, for example 192.0.2.10:22 or [2001:db8::1]:80`,
    );
  }
  return { ip, port };
}

/** Refuses a list that would ask one address more than `limit` times a second. Throws ERR_VMPULSE_USAGE. */
export function checkPerAddress(places: readonly Place[], periodMs: number, limit: number): void {
  const counts = new Map<string, number>();
  for (const { ip } of places) counts.set(ip, (counts.get(ip) ?? 0) + 1);
  for (const [ip, count] of counts) {
    const rate = (count * 1000) / periodMs;
    if (rate <= limit) continue;
    throw usage(
      `${ip} would be probed ${Math.ceil(rate)} times a second, at most ${limit} are allowed; ` +
        'lengthen --period, or raise --per-address if the address is yours to load',
    );
  }
}

/** Targets of the engine, each probed once a period. */
export function benchTargets(kind: BenchKind, places: readonly Place[], periodMs: number): Target[] {
  const timing = {
    initialDelayMs: 0,
    periodMs,
    timeoutMs: Math.min(MAX_TIMEOUT_MS, periodMs / 2),
    successThreshold: 1,
    failureThreshold: 3,
  };
  return places.map((place, n) => ({
    id: `bench/${n}`,
    check: checkOf(kind, place),
    timing,
    startState: 'unknown',
  }));
}

function checkOf(kind: BenchKind, endpoint: Place): TargetCheck {
  if (kind === 'tcp' || kind === 'tcp-fin') {
    return { kind: 'tcpSocket', endpoint, close: kind === 'tcp' ? 'rst' : 'fin' };
  }
  if (kind === 'icmp') return { kind: 'icmp', ip: endpoint.ip, ping: PING };
  if (kind === 'half-open') return { kind: 'tcpHalfOpen', endpoint };
  return { kind: 'httpGet', endpoint, http: { scheme: kind, port: endpoint.port, path: '/', headers: [] } };
}

function usage(message: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_USAGE', message);
}
