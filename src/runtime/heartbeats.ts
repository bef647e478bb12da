import type { Clock } from '../model/clock.js';
import { VmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';
import type { Journal } from '../model/ports.js';
import type { ProbeSpec } from '../model/probe.js';
import type { VmId, VmSpec } from '../model/vm.js';
import type { Beat } from '../probes/external.js';
import { HeartbeatTokens } from './heartbeat-tokens.js';
import type { Recorder } from './recorder.js';
import type { VmUnit } from './vm-unit.js';

/** Refusals of one VM are journalled this often, ms. */
const TELL_EVERY_MS = 60_000;
const MAX_MESSAGE_CHARS = 500;

/** What a guest says of itself. */
export interface Heartbeat {
  /** The probe of kind heartbeat that it is for; default: all of the VM. */
  readonly probe?: string | undefined;
  /** Default `ok`. `warning` is ok with a warning, `critical` fails the probe. */
  readonly status?: Beat['status'] | undefined;
  /** Shown as it is, escaped, up to 500 characters. */
  readonly message?: string | undefined;
}

export interface HeartbeatsOptions {
  readonly journal: Journal;
  readonly deadlineMs: number;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly units: ReadonlyMap<VmId, VmUnit>;
}

/** Takes heartbeats: proves who sent them and gives them to the VM's probes. */
export class Heartbeats {
  readonly #options: HeartbeatsOptions;
  readonly #tokens: HeartbeatTokens;
  /** Refused since they were last told, by VM; null for VMs that nobody watches. */
  readonly #refused = new Map<VmId | null, { count: number; toldAtMs: number }>();

  constructor(options: HeartbeatsOptions) {
    this.#options = options;
    this.#tokens = new HeartbeatTokens(options.journal, options.deadlineMs);
  }

  async issueToken(vm: VmId, author: string): Promise<string> {
    const token = await this.#tokens.issue(vm);
    const text = `a new heartbeat token of ${vm} was made by ${author}; the former one is refused from now on`;
    this.#options.recorder.note({
      vm,
      type: 'operator',
      actionId: null,
      text,
      data: { verb: 'heartbeat-token', author },
    });
    return token;
  }

  /** Takes a heartbeat that came with a token. An unknown VM is refused like a wrong token. */
  async receive(vm: VmId | undefined, token: string, beat: Heartbeat): Promise<void> {
    if (await this.#tokens.isOf(vm, token)) {
      if (vm !== undefined) this.take(vm, beat);
      return;
    }
    this.#tellRefusal(vm ?? null);
    throw new VmpulseError(
      'ERR_VMPULSE_UNAUTHORIZED',
      'the token is not that of this VM; vmpulse vm heartbeat-token makes a new one',
    );
  }

  /** Takes a heartbeat of a sender that is known to be the VM. Throws ERR_VMPULSE_ARGUMENT when none of its probes waits for one. */
  take(vm: VmId, { probe, status = 'ok', message = '' }: Heartbeat): void {
    const atMs = this.#options.clock.now();
    const beat = { atMs, status, message: plainText(message, MAX_MESSAGE_CHARS) };
    const unit = this.#options.units.get(vm);
    if (unit === undefined) return;
    for (const { name } of waitingIn(unit.spec, probe)) unit.probes.get(name)?.heartbeat(beat);
  }

  #tellRefusal(vm: VmId | null): void {
    const { clock, recorder } = this.#options;
    const nowMs = clock.now();
    const refused = this.#refused.get(vm) ?? { count: 0, toldAtMs: Number.NEGATIVE_INFINITY };
    this.#refused.set(vm, refused);
    refused.count += 1;
    if (nowMs - refused.toldAtMs < TELL_EVERY_MS) return;
    const whose = vm ?? 'a VM that is not watched';
    const text = `${refused.count} heartbeats for ${whose} were refused: their token is not that VM's`;
    recorder.note({ vm, type: 'daemon', actionId: null, text, data: { refused: refused.count } });
    refused.count = 0;
    refused.toldAtMs = nowMs;
  }
}

/** The probe of that name, or all that wait for a heartbeat. Throws ERR_VMPULSE_ARGUMENT when none does. */
function waitingIn({ id, probes }: VmSpec, name: string | undefined): readonly ProbeSpec[] {
  const waiting = probes.filter(
    (probe) => probe.check.kind === 'heartbeat' && (name === undefined || name === probe.name),
  );
  if (waiting.length > 0) return waiting;
  const which = name === undefined ? 'no probe of kind heartbeat' : `no heartbeat probe named ${name}`;
  throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `${id} has ${which}`);
}
