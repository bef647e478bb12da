import { errnoOf, isErrorCode, VmpulseError } from '../model/errors.js';
import type { Outcome, ProbeResult, ProbeState } from '../model/outcome.js';
import { isInconclusive, isReason, REASON_CLASS, type Reason } from '../model/reasons.js';
import type { Batch, Completion, EventList } from './backend.js';
import type {
  NativeBatch,
  NativeChannelEvent,
  NativeCompletion,
  NativeProbe,
  NativeStatus,
} from './native-module.js';
import type { ChannelEvent, Due, EngineEvent, TargetStatus, Transition } from './probe-engine.js';

const REASONS: readonly Reason[] = Object.keys(REASON_CLASS).filter(isReason);
const STATES: readonly ProbeState[] = ['unknown', 'ok', 'failed', 'blind'];
const TRANSITION_NUMBERS = 11;
const DUE_NUMBERS = 3;

function wrong(what: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_INTERNAL', `the engine addon gave ${what}, which is not in the table`);
}

/** The reason at a place of the table. */
export function reasonAt(index: number): Reason {
  const reason = REASONS[index];
  if (reason === undefined) throw wrong(`the reason ${index}`);
  return reason;
}

function stateAt(index: number): ProbeState {
  const state = STATES[index];
  if (state === undefined) throw wrong(`the state ${index}`);
  return state;
}

/** `ok` for 0, else the reason n - 1. */
export function outcomeAt(number: number): Outcome {
  if (number === 0) return { result: 'ok' };
  const reason = reasonAt(number - 1);
  return isInconclusive(reason) ? { result: 'inconclusive', reason } : { result: 'failed', reason };
}

/** The number of an outcome. */
export function outcomeNumber(outcome: Outcome): number {
  return outcome.result === 'ok' ? 0 : REASONS.indexOf(outcome.reason) + 1;
}

/** Calls the addon; its errors become ours. */
export function guarded<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw toVmpulseError(error);
  }
}

function toVmpulseError(error: unknown): VmpulseError {
  if (error instanceof VmpulseError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = errnoOf(error);
  // Without a code of ours it is Node-API refusing the type of an argument.
  return new VmpulseError(isErrorCode(code) ? code : 'ERR_VMPULSE_ARGUMENT', message, { cause: error });
}

export function decodeBatch(batch: NativeBatch): Batch {
  return {
    events: new NativeEvents(batch.transitions, batch.dues),
    completions: batch.completions.map(decodeCompletion),
    channelEvents: batch.channelEvents.map((event) => ({
      channel: event.channel,
      event: decodeChannelEvent(event),
    })),
    stopped: batch.stopped,
  };
}

/** Transitions, then dues, as numbers until they are taken. */
class NativeEvents implements EventList {
  readonly length: number;
  readonly #transitions: Float64Array;
  readonly #dues: Float64Array;
  /** How many of them are transitions. */
  readonly #changes: number;

  constructor(transitions: Float64Array, dues: Float64Array) {
    this.#transitions = transitions;
    this.#dues = dues;
    this.#changes = transitions.length / TRANSITION_NUMBERS;
    this.length = this.#changes + dues.length / DUE_NUMBERS;
  }

  slice(from: number, to: number): readonly EngineEvent[] {
    const events: EngineEvent[] = [];
    for (let at = from; at < Math.min(to, this.length); at++) {
      events.push(
        at < this.#changes
          ? transitionAt(this.#transitions, at * TRANSITION_NUMBERS)
          : dueAt(this.#dues, (at - this.#changes) * DUE_NUMBERS),
      );
    }
    return events;
  }
}

// No view of the numbers for each, and no spreading.
function transitionAt(numbers: Float64Array, at: number): Transition {
  const reason = numbers[at + 4] ?? -1;
  const transition: { -readonly [K in keyof Transition]: Transition[K] } = {
    type: 'transition',
    handle: numbers[at] ?? 0,
    epoch: numbers[at + 1] ?? 0,
    from: stateAt(numbers[at + 2] ?? -1),
    to: stateAt(numbers[at + 3] ?? -1),
    atMs: numbers[at + 5] ?? 0,
    streakStartMs: numbers[at + 6] ?? 0,
    count: numbers[at + 7] ?? 0,
    lastOkMs: numbers[at + 8] ?? 0,
    durationMs: numbers[at + 9] ?? 0,
    coalesced: numbers[at + 10] ?? 0,
  };
  if (reason >= 0) transition.reason = reasonAt(reason);
  return transition;
}

function dueAt(numbers: Float64Array, at: number): Due {
  return {
    type: 'due',
    handle: numbers[at] ?? 0,
    epoch: numbers[at + 1] ?? 0,
    deadlineMs: numbers[at + 2] ?? 0,
  };
}

function decodeCompletion({ call, probe, value, snapshot, error }: NativeCompletion): Completion {
  if (probe !== undefined) return { call, result: decodeProbe(probe) };
  if (value !== undefined) return { call, value: JSON.parse(value) };
  if (snapshot !== undefined) return { call, snapshot };
  const code = error !== undefined && isErrorCode(error.code) ? error.code : 'ERR_VMPULSE_INTERNAL';
  const details = error?.class === undefined ? {} : { class: error.class };
  return { call, error: new VmpulseError(code, error?.message ?? 'the engine gave no answer', { details }) };
}

function decodeProbe(probe: NativeProbe): ProbeResult {
  const { status, bodyBytes, redirects, tlsVersion, certificateNotAfter, message, transcript } = probe;
  const { sent, received, latencyMs, mac } = probe;
  return {
    outcome: outcomeAt(probe.outcome),
    durationMs: probe.durationMs,
    warnings: probe.warnings,
    details: {
      ...(status !== undefined && { status }),
      ...(bodyBytes !== undefined && { bodyBytes }),
      ...(redirects !== undefined && { redirects }),
      ...(tlsVersion !== undefined && { tlsVersion }),
      ...(certificateNotAfter !== undefined && { certificateNotAfterMs: certificateNotAfter * 1000 }),
      ...(sent !== undefined && { sent }),
      ...(received !== undefined && { received }),
      ...(latencyMs !== undefined && { latencyMs }),
      ...(mac !== undefined && { mac }),
      ...(message !== undefined && { message }),
    },
    ...(transcript !== undefined && { debug: transcript }),
  };
}

function decodeChannelEvent(event: NativeChannelEvent): ChannelEvent {
  const { atMs } = event;
  switch (event.type) {
    case 'connected':
      return { type: 'connected', atMs };
    case 'disconnected':
      return { type: 'disconnected', reason: reasonAt(event.reason ?? -1), detail: event.detail ?? '', atMs };
    case 'event': {
      const data: unknown = event.data === undefined ? undefined : JSON.parse(event.data);
      return { type: 'event', name: event.name ?? '', data, atMs };
    }
    case 'dropped':
      return { type: 'dropped', count: event.count ?? 0, atMs };
    default:
      throw wrong(`the channel event ${event.type}`);
  }
}

export function decodeStatus(status: NativeStatus): TargetStatus {
  const { state, reason, lastOutcome, ...rest } = status;
  return {
    ...rest,
    state: stateAt(state),
    ...(reason !== undefined && { reason: reasonAt(reason) }),
    ...(lastOutcome !== undefined && { lastOutcome: outcomeAt(lastOutcome) }),
  };
}
