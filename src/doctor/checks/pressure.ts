import type { DoctorCheck } from '../check.js';
import { type Finding, info, of, ok, warning } from '../finding.js';

/** Share of the last 10 s from which on the policy holds starts, percent. */
const LIMITS = [
  ['cpu', 'some', 90],
  ['memory', 'some', 20],
  ['io', 'full', 40],
] as const;

export const pressure: DoctorCheck = {
  id: 'pressure',
  looksAt: 'Pressure stall information of CPU, memory and I/O (`/proc/pressure`).',
  why: 'Under pressure guests are slow and probes late; vmpulse paces starts by it.',
  look: ({ host }) =>
    Promise.all(
      LIMITS.map(async ([what, line, limit]) =>
        of(what, judge(await host.read(`/proc/pressure/${what}`), line, limit)),
      ),
    ),
};

function judge(text: string | undefined, line: string, limit: number): Finding {
  const share = new RegExp(`^${line} avg10=([0-9.]+) avg60=([0-9.]+)`, 'm').exec(text ?? '');
  if (share === null)
    return info('the kernel does not tell', 'boot with psi=1 (the kernel needs CONFIG_PSI)');
  const [now, minute] = [Number(share[1]), Number(share[2])];
  const seen = `${line === 'full' ? 'everything' : 'something'} waited ${now} % of the last 10 s, ${minute} % of the last minute`;
  return now >= limit ? warning(seen, 'top; vmpulse starts no further VM while this lasts') : ok(seen);
}
