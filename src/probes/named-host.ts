import type { ProbeEngine, TargetCheck } from '../engine/probe-engine.js';
import { given } from '../model/given.js';
import { overAddresses } from './addresses.js';
import type { ExternalProbe, Finding, LookOptions } from './external.js';
import type { ResolveHost } from './resolve-host.js';

export interface NamedHostOptions {
  readonly host: string;
  readonly resolveHost: ResolveHost;
  readonly engine: Pick<ProbeEngine, 'probeOnce'>;
  /** The check at one of the host's addresses. */
  readonly lower: (address: string) => TargetCheck;
  /** With the exchange, for a person. */
  readonly debug: boolean;
}

/**
 * A probe that the engine runs of a host that is given by name: the name is looked up before each look (its answer is kept
 * for its TTL), and the addresses are tried in turn. So a change of the address never costs the thresholds.
 */
export class NamedHostProbe implements ExternalProbe {
  readonly #options: NamedHostOptions;

  constructor(options: NamedHostOptions) {
    this.#options = options;
  }

  probe({ deadlineMs, signal }: LookOptions): Promise<Finding> {
    const { engine, lower, debug } = this.#options;
    return overAddresses(this.#options, deadlineMs, async (address, timeoutMs) => {
      const result = await engine.probeOnce(lower(address), { timeoutMs, signal, debug });
      const { outcome, warnings, details, debug: exchange } = result;
      return {
        outcome,
        warnings,
        details: { ...details, address },
        ...given({ debug: exchange }),
      };
    });
  }
}
