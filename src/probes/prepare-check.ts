import type { TargetCheck } from '../engine/probe-engine.js';
import type { ExternalProbe, ExternalSetting } from './external.js';
import { hostCaPem } from './host-ca.js';
import type { DocumentCheck, LowerContext } from './probe-kind.js';
import { PROBE_KINDS } from './registry.js';
import type { ResolveHost } from './resolve-host.js';

/** What a check is prepared with: the VM's side, and the two look-ups. */
export interface PrepareOptions {
  /** The VM's address. */
  readonly address?: string | undefined;
  readonly channels?: LowerContext['channels'];
  readonly process?: LowerContext['process'];
  readonly resolveHost: ResolveHost;
  /** Reads a CA file as text; its errors reach the caller. */
  readonly readFile: (path: string) => Promise<string>;
  readonly setting: ExternalSetting;
}

/** A check that the engine can run or schedule (`external` then does the looking), or the name that was not resolved. */
export type PreparedCheck =
  | { readonly check: TargetCheck; readonly external?: ExternalProbe }
  | { readonly failure: 'dns-failure'; readonly detail: string };

/** Does a check's look-ups and lowers it. Throws ERR_VMPULSE_ARGUMENT when the VM's side lacks what the kind needs. */
export async function prepareCheck(check: DocumentCheck, options: PrepareOptions): Promise<PreparedCheck> {
  const kind = PROBE_KINDS[check.kind];
  const external = kind.open(check, options.setting);
  if (external !== undefined) return { check: kind.lower(check, {}), external };
  const { host, caFile, hostCa } = kind.lookups(check);
  const caPem =
    caFile !== undefined
      ? await options.readFile(caFile)
      : hostCa
        ? await hostCaPem(options.readFile)
        : undefined;
  const resolved = host === undefined ? undefined : await options.resolveHost(host);
  if (resolved !== undefined && 'failure' in resolved) return resolved;
  const { channels, process } = options;
  return { check: kind.lower(check, { address: resolved?.ip ?? options.address, caPem, channels, process }) };
}
