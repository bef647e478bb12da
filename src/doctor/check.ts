import type { CallOptions } from '../model/ports.js';
import type { Demand } from './demand.js';
import type { Finding } from './finding.js';
import type { DoctorHost } from './host.js';

export interface CheckContext {
  readonly host: DoctorHost;
  /** What the configuration asks of the host. */
  readonly demand: Demand;
  /** For one thing that may block. */
  readonly call: CallOptions;
}

/** One question about the host. It looks and changes nothing. */
export interface DoctorCheck {
  /** Stable, for programs. */
  readonly id: string;
  /** What it looks at; docs/guides/doctor.md lists it. */
  readonly looksAt: string;
  /** Why that matters, one sentence. */
  readonly why: string;
  look(context: CheckContext): Promise<readonly Finding[]> | readonly Finding[];
}
