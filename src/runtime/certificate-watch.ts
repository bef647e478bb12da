import { z } from 'zod';
import type { Clock } from '../model/clock.js';
import type { VmmSession } from '../model/ports.js';
import type { VmId } from '../model/vm.js';
import { usesTls } from '../probes/uses-tls.js';
import type { Recorder } from './recorder.js';
import type { VmUnit } from './vm-unit.js';

/** People are told once a certificate has so little left; packaging/prometheus/alerts.yaml has the same. */
const EXPIRING_MS = 14 * 86_400_000;
/** How often it is seen who is to be asked. */
const ROUND_MS = 60_000;
const FINE_AGAIN_MS = 3_600_000;
/** What was not seen, or is about to be replaced. */
const SOON_AGAIN_MS = 600_000;
const MAX_AT_ONCE = 16;
/** The last instant that a Date can have. */
const MAX_MS = 8.64e15;

/** The certificate that a probe sees. */
export interface CertificateView {
  readonly probe: string;
  /** End of its validity. */
  readonly notAfterMs: number;
}

const STATES = ['fine', 'expiring', 'expired'] as const;
type State = (typeof STATES)[number];

/** What was told of the certificate that a probe sees, and is not over: whoever was told waits for its end. */
export const TOLD_CERTIFICATES = z
  .array(z.object({ vm: z.string().max(1024), probe: z.string().max(1024), told: z.enum(STATES) }))
  .max(1_000_000);
export type ToldCertificates = z.output<typeof TOLD_CERTIFICATES>;

/** What is known of the certificate that one probe sees. */
interface Known {
  readonly vm: VmId;
  readonly probe: string;
  notAfterMs: number | undefined;
  /** To the VMM in which it was seen; another one may show another. */
  session: VmmSession | undefined;
  askAtMs: number;
  /** What was told last. */
  told: State;
}

export interface CertificateWatchOptions {
  readonly clock: Clock;
  readonly units: ReadonlyMap<VmId, Pick<VmUnit, 'spec' | 'session' | 'probes'>>;
  readonly recorder: Recorder;
  /** Other certificates are known of this VM. */
  readonly onChange: (vm: VmId) => void;
  /** Stores what was told and is not over. */
  readonly save: (told: ToldCertificates) => void;
}

/**
 * Looks from time to time at the certificates that probes see over TLS, and tells those that end soon. By looks of its
 * own, an hour apart: the engine keeps of its results only what thresholds need.
 */
export class CertificateWatch {
  readonly #options: CertificateWatchOptions;
  readonly #known = new Map<VmId, Map<string, Known>>();
  /** Undefined: nobody is to be asked. */
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(options: CertificateWatchOptions) {
    this.#options = options;
  }

  /** What a former run told: its end is told by this one. Before start(). */
  restore(told: ToldCertificates): void {
    for (const one of told) this.#remember(one.vm, one.probe).told = one.told;
  }

  /** Looks from now on at those that there are; again after their probes may have become others. */
  start(): void {
    if (this.#cancel === undefined) this.#arm();
  }

  /** Nothing is asked any more; what is under way is ignored. */
  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  /** Those that are known of a VM that runs. */
  of(vm: VmId): readonly CertificateView[] {
    const current = this.#options.units.get(vm)?.session;
    return [...(this.#known.get(vm)?.values() ?? [])].flatMap(({ probe, notAfterMs, session }) =>
      notAfterMs === undefined || session !== current ? [] : [{ probe, notAfterMs }],
    );
  }

  #arm(): void {
    const { clock, units } = this.#options;
    const isNobody =
      this.#known.size === 0 && [...units.values()].every((unit) => namesOf(unit).length === 0);
    this.#cancel = undefined;
    if (this.#stopped || isNobody) return;
    this.#cancel = clock.at(clock.now() + ROUND_MS, () => void this.#round().finally(() => this.#arm()));
  }

  async #round(): Promise<void> {
    this.#sync();
    const now = this.#options.clock.now();
    const all = [...this.#known.values()].flatMap((probes) => [...probes.values()]);
    const due = all.filter(({ vm, askAtMs }) => askAtMs <= now && this.#runs(vm)).values();
    const ask = async () => {
      for (const known of due) if (!this.#stopped) await this.#ask(known);
    };
    await Promise.all(Array.from({ length: MAX_AT_ONCE }, ask));
  }

  #runs(vm: VmId): boolean {
    return this.#options.units.get(vm)?.session !== undefined;
  }

  /** Brings what is known to the probes that there are. */
  #sync(): void {
    const { units } = this.#options;
    for (const [vm, probes] of this.#known) {
      const names = namesOf(units.get(vm));
      for (const known of probes.values()) {
        const session = units.get(vm)?.session;
        if (known.session !== session) Object.assign(known, { session, notAfterMs: undefined, askAtMs: 0 });
        if (names.includes(known.probe)) continue;
        probes.delete(known.probe);
        this.#options.onChange(vm);
        if (known.told !== 'fine') this.#tell(known, 'fine', 'is not looked at any more');
      }
      if (probes.size === 0) this.#known.delete(vm);
    }
    for (const [vm, unit] of units) {
      for (const probe of namesOf(unit)) this.#remember(vm, probe);
    }
  }

  #remember(vm: VmId, probe: string): Known {
    const probes = this.#known.get(vm) ?? new Map<string, Known>();
    this.#known.set(vm, probes);
    const { session } = this.#options.units.get(vm) ?? {};
    const known: Known = probes.get(probe) ?? {
      vm,
      probe,
      notAfterMs: undefined,
      session,
      askAtMs: 0,
      told: 'fine',
    };
    probes.set(probe, known);
    return known;
  }

  async #ask(known: Known): Promise<void> {
    const { clock, units } = this.#options;
    const unit = units.get(known.vm);
    const timeoutMs = unit?.spec.probes.find(({ name }) => name === known.probe)?.timing.timeoutMs;
    if (unit === undefined || timeoutMs === undefined) return;
    const { session } = unit;
    // What cannot be asked has no certificate to show, which is what none in the answer says.
    const target = unit.probes.get(known.probe);
    const result = await target?.ask(timeoutMs).catch(() => undefined);
    if (this.#stopped || unit.session !== session) return;
    const seenMs = result?.details.certificateNotAfterMs;
    if (typeof seenMs === 'number' && Math.abs(seenMs) <= MAX_MS) {
      Object.assign(known, { notAfterMs: seenMs, session });
      this.#options.onChange(known.vm);
    }
    const state = this.#judge(known);
    const againMs = seenMs === undefined || state !== 'fine' ? SOON_AGAIN_MS : FINE_AGAIN_MS;
    known.askAtMs = clock.now() + againMs;
  }

  #judge(known: Known): State {
    const { notAfterMs } = known;
    if (notAfterMs === undefined) return known.told;
    const leftMs = notAfterMs - this.#options.clock.now();
    const state = leftMs <= 0 ? 'expired' : leftMs < EXPIRING_MS ? 'expiring' : 'fine';
    const at = new Date(notAfterMs).toISOString();
    if (state !== known.told) this.#tell(known, state, `${state === 'expired' ? 'ended' : 'ends'} at ${at}`);
    return state;
  }

  #tell(known: Known, state: State, what: string): void {
    const { vm, probe, notAfterMs } = known;
    known.told = state;
    this.#options.recorder.note({
      vm,
      type: 'daemon',
      actionId: null,
      text: `the certificate that probe ${probe} sees ${what}`,
      data: { kind: 'certificate', state, probe, notAfterMs: notAfterMs ?? null },
    });
    const all = [...this.#known.values()].flatMap((probes) => [...probes.values()]);
    this.#options.save(
      all.filter((one) => one.told !== 'fine').map(({ vm, probe, told }) => ({ vm, probe, told })),
    );
  }
}

/** Probes that see a certificate. */
function namesOf(unit: Pick<VmUnit, 'spec'> | undefined): readonly string[] {
  const probes = unit?.spec.probes ?? [];
  return probes.filter(({ enabled, check }) => enabled && usesTls(check)).map(({ name }) => name);
}
