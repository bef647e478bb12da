import { describe, expect, it } from 'vitest';
import type { ActionResult, LadderStep, RecoveryAction } from '../../../src/model/action.js';
import type { Clock } from '../../../src/model/clock.js';
import { systemClock } from '../../../src/model/clock.js';
import { type ErrorCode, VmpulseError } from '../../../src/model/errors.js';
import type { Diagnosis } from '../../../src/model/health.js';
import type { DiskSpec } from '../../../src/model/hypervisor.js';
import type { CapturedEvidence, Driver, VmmSession } from '../../../src/model/ports.js';
import { createRecoveries, type RecoveryContext } from '../../../src/recovery/registry.js';
import { testVm } from '../qemu/fixtures.js';

const NEVER = new Promise<never>(() => {});

/** Writes down what is called, in order; does, fails or hangs as the test says. */
class Recorder {
  readonly calls: string[] = [];
  readonly saved: CapturedEvidence[] = [];
  readonly #behaviour = new Map<string, () => unknown>();
  exitCode = 0;
  canStart = true;
  canRestartService = true;
  canReboot = true;

  fail(call: string, code: ErrorCode): this {
    this.#behaviour.set(call, () => {
      throw new VmpulseError(code, `${call} does not work`);
    });
    return this;
  }

  hang(call: string): this {
    this.#behaviour.set(call, () => NEVER);
    return this;
  }

  async call(name: string): Promise<void> {
    this.calls.push(name);
    await this.#behaviour.get(name)?.();
  }

  get driver(): Driver {
    return {
      name: 'qemu',
      supports: (_vm, step) => {
        if (step === 'reboot') return this.canReboot;
        return step === 'restart-service' ? this.canRestartService : this.canStart;
      },
      look: () => NEVER,
      attach: () => NEVER,
      proveStart: () => this.call('prove'),
      start: async () => {
        await this.call('start');
        return { pid: 2, startTimeTicks: 2 };
      },
    };
  }

  get session(): VmmSession {
    return {
      process: { pid: 1, startTimeTicks: 1 },
      startedAtMs: 0,
      pidfd: 3,
      monitor: { handle: 1, connected: true },
      onEvent: () => {},
      status: async () => 'running',
      reset: () => this.call('reset'),
      reboot: () => this.call('reboot'),
      pause: () => this.call('pause'),
      resume: () => this.call('resume'),
      continueProcess: () => this.call('continue'),
      stop: (mode) => this.call(`stop-${mode}`),
      exec: async (argv) => {
        await this.call(`exec ${argv.join(' ')}`);
        return { exitCode: this.exitCode, stdout: '', stderr: 'no such \u001b[1mservice\n' };
      },
      capture: async ({ label }) => {
        await this.call(`capture ${label}`);
        return { consoleTail: 'last words', status: 'guest-panicked', files: [] };
      },
      detach: () => this.call('detach'),
    };
  }
}

interface Options {
  readonly attached?: boolean;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly disks?: readonly DiskSpec[];
  readonly diagnosis?: Pick<Diagnosis, 'kind' | 'cause'>;
}

async function recover(step: LadderStep, recorder: Recorder, options: Options = {}): Promise<ActionResult> {
  const vm = testVm({ disks: options.disks ?? [] });
  const action: RecoveryAction = {
    id: 'a-1',
    vm: vm.id,
    step,
    attempt: 1,
    diagnosis: { ...(options.diagnosis ?? { kind: 'guest-hung', cause: 'guest-panicked' }), evidence: [] },
    timeoutMs: options.timeoutMs ?? 5_000,
  };
  const context: RecoveryContext = {
    vm: {
      ...vm,
      recovery: {
        ...vm.recovery,
        restartService: ['/sbin/svc', 'restart', 'web'],
        exec: ['/sbin/repair'],
        cleanup: ['/sbin/clean'],
      },
    },
    driver: recorder.driver,
    ...((options.attached ?? true) ? { session: recorder.session } : {}),
    clock: options.clock ?? systemClock,
    signal: options.signal ?? new AbortController().signal,
    save: (evidence) => recorder.saved.push(evidence),
    onViolation: (what) => {
      throw new Error(what);
    },
  };
  const recovery = createRecoveries().get(step);
  if (recovery === undefined) throw new Error(`no recovery for ${step}`);
  return recovery.run(action, context);
}

const DONE = { result: 'done' };

describe('a recovery that succeeds', () => {
  it.each<[LadderStep, string[]]>([
    ['continue-process', ['continue']],
    ['restart-service', ['exec /sbin/svc restart web']],
    ['exec', ['exec /sbin/repair']],
    ['cleanup', ['exec /sbin/clean']],
    ['resume', ['resume']],
    ['start', ['start']],
    ['reboot', ['prove', 'capture a-1', 'reboot']],
    ['reset', ['prove', 'capture a-1', 'reset']],
    ['power-cycle', ['prove', 'capture a-1', 'stop-force', 'start']],
  ])('%s does this in this order', async (step, calls) => {
    const recorder = new Recorder();
    expect(await recover(step, recorder, { attached: step !== 'start' })).toEqual(DONE);
    expect(recorder.calls).toEqual(calls);
    const endsGuest = calls.includes('capture a-1');
    expect(recorder.saved.map(({ status }) => status)).toEqual(endsGuest ? ['guest-panicked'] : []);
  });
});

describe('a power-cycle', () => {
  it.each([
    // Cut off from the host: it lives.
    ['link-lost', 'network', true, 'stop-graceful'],
    ['link-lost', 'network', false, 'stop-graceful'],
    // It answers, and its driver could not reboot it in order before.
    ['service-unreachable', 'service', false, 'stop-graceful'],
    ['over-threshold', 'resource', false, 'stop-graceful'],
    // That was tried, and did not work.
    ['service-unreachable', 'service', true, 'stop-force'],
    // Nobody is there to ask.
    ['all-paths-dead', 'guest-hung', false, 'stop-force'],
    ['api-silent', 'vmm-wedged', false, 'stop-force'],
  ] as const)('for %s (%s), reboot possible: %s, begins with %s', async (cause, kind, canReboot, stop) => {
    const recorder = new Recorder();
    recorder.canReboot = canReboot;
    expect(await recover('power-cycle', recorder, { diagnosis: { kind, cause } })).toEqual(DONE);
    expect(recorder.calls).toEqual(['prove', 'capture a-1', stop, 'start']);
  });
});

describe('a recovery whose start is not proven', () => {
  it.each<LadderStep>(['reboot', 'reset', 'power-cycle'])('%s touches nothing', async (step) => {
    const recorder = new Recorder().fail('prove', 'ERR_VMPULSE_DISK_IN_USE');
    expect(await recover(step, recorder)).toMatchObject({
      result: 'impossible',
      code: 'ERR_VMPULSE_DISK_IN_USE',
    });
    expect(recorder.calls).toEqual(['prove']);
  });

  it('neither starts nor power-cycles a VM that vmpulse cannot start, but resets it', async () => {
    const recorder = new Recorder();
    recorder.canStart = false;
    for (const step of ['start', 'power-cycle'] as const) {
      expect(await recover(step, recorder)).toMatchObject({
        result: 'impossible',
        code: 'ERR_VMPULSE_UNSUPPORTED',
      });
    }
    expect(recorder.calls).toEqual([]);
    expect(await recover('reset', recorder)).toEqual(DONE);
    expect(recorder.calls).toEqual(['capture a-1', 'reset']);
  });
});

describe('a recovery that cannot be tried', () => {
  it.each<LadderStep>([
    'continue-process',
    'restart-service',
    'reboot',
    'reset',
    'power-cycle',
  ])('%s needs a running VMM', async (step) => {
    const recorder = new Recorder();
    const result = await recover(step, recorder, { attached: false });
    expect(result).toMatchObject({ result: 'impossible', code: 'ERR_VMPULSE_VM_NOT_RUNNING' });
    expect(recorder.calls).toEqual([]);
  });

  it.each([
    'ERR_VMPULSE_VM_RUNNING',
    'ERR_VMPULSE_LOCKED',
    'ERR_VMPULSE_START_IMPOSSIBLE',
    'ERR_VMPULSE_DISK_IN_USE',
  ] as const)('start, refused with %s', async (code) => {
    expect(await recover('start', new Recorder().fail('start', code))).toMatchObject({
      result: 'impossible',
      code,
    });
  });

  it('restart-service without a command or an agent', async () => {
    const recorder = new Recorder();
    recorder.canRestartService = false;
    expect(await recover('restart-service', recorder)).toMatchObject({ result: 'impossible' });
    expect(recorder.calls).toEqual([]);
  });

  it('reset of a VMM that it would end', async () => {
    const recorder = new Recorder().fail('reset', 'ERR_VMPULSE_UNSUPPORTED');
    expect(await recover('reset', recorder)).toMatchObject({
      result: 'impossible',
      code: 'ERR_VMPULSE_UNSUPPORTED',
    });
  });
});

describe('a recovery that fails', () => {
  it.each<[LadderStep, string, ErrorCode]>([
    ['continue-process', 'continue', 'ERR_VMPULSE_TIMEOUT'],
    ['start', 'start', 'ERR_VMPULSE_START_FAILED'],
    ['reboot', 'reboot', 'ERR_VMPULSE_TIMEOUT'],
    ['reset', 'reset', 'ERR_VMPULSE_CHANNEL'],
    ['power-cycle', 'stop-force', 'ERR_VMPULSE_PROCESS_STUCK'],
    // The VMM is gone by then: this was tried.
    ['power-cycle', 'start', 'ERR_VMPULSE_DISK_IN_USE'],
  ])('%s says how: %s', async (step, call, code) => {
    const result = await recover(step, new Recorder().fail(call, code));
    expect(result).toEqual({ result: 'failed', code, message: `${call} does not work` });
  });

  it('power-cycle starts nothing before the old process is dead', async () => {
    const recorder = new Recorder().fail('stop-force', 'ERR_VMPULSE_PROCESS_STUCK');
    await recover('power-cycle', recorder);
    expect(recorder.calls).not.toContain('start');
  });

  it('restart-service tells what the guest said, escaped', async () => {
    const recorder = new Recorder();
    recorder.exitCode = 5;
    expect(await recover('restart-service', recorder)).toEqual({
      result: 'failed',
      code: 'ERR_VMPULSE_COMMAND',
      message: '/sbin/svc restart web ended with status 5 in the guest: no such \\u001b[1mservice',
    });
  });
});

describe('time', () => {
  it.each<[LadderStep, string]>([
    ['continue-process', 'continue'],
    ['restart-service', 'exec /sbin/svc restart web'],
    ['start', 'start'],
    ['reboot', 'reboot'],
    ['reset', 'reset'],
    ['power-cycle', 'stop-force'],
  ])('of %s ends though %s hangs', async (step, call) => {
    const result = await recover(step, new Recorder().hang(call), { timeoutMs: 100 });
    expect(result).toMatchObject({ result: 'failed', code: 'ERR_VMPULSE_TIMEOUT' });
  });

  it('of a proof ends, and then nothing is done', async () => {
    const recorder = new Recorder().hang('prove');
    expect(await recover('reset', recorder, { timeoutMs: 100 })).toMatchObject({
      result: 'impossible',
      code: 'ERR_VMPULSE_TIMEOUT',
    });
    expect(recorder.calls).toEqual(['prove']);
  });

  it('of the evidence is two seconds, of the clock that it is given', async () => {
    const recorder = new Recorder().hang('capture a-1');
    let nowMs = 0;
    const waits: { atMs: number; fn: () => void }[] = [];
    const clock: Clock = {
      now: () => nowMs,
      monotonic: () => nowMs,
      at: (atMs, fn) => {
        waits.push({ atMs, fn });
        return () => {};
      },
    };
    const result = recover('reset', recorder, { clock, timeoutMs: 60_000 });
    await expect.poll(() => waits.some(({ atMs }) => atMs === 2_000)).toBe(true);
    expect(recorder.calls).toEqual(['prove', 'capture a-1']);
    nowMs = 2_000;
    for (const { atMs, fn } of waits) if (atMs <= nowMs) fn();
    expect(await result).toEqual(DONE);
    expect(recorder.saved[0]?.status).toMatch(/^not captured: .*deadline/);
  });

  it('ends when the runtime withdraws the action', async () => {
    const abort = new AbortController();
    const recorder = new Recorder().hang('reset');
    const result = recover('reset', recorder, { signal: abort.signal, timeoutMs: 60_000 });
    await expect.poll(() => recorder.calls).toContain('reset');
    abort.abort();
    expect(await result).toMatchObject({ result: 'failed', code: 'ERR_VMPULSE_ABORTED' });
  });

  it('withdrawn before it began touches nothing', async () => {
    const recorder = new Recorder();
    const result = await recover('power-cycle', recorder, { signal: AbortSignal.abort() });
    expect(result).toMatchObject({ code: 'ERR_VMPULSE_ABORTED' });
    expect(recorder.calls).toEqual([]);
  });
});

describe('evidence', () => {
  it('that cannot be had does not hold the recovery', async () => {
    const recorder = new Recorder().fail('capture a-1', 'ERR_VMPULSE_CHANNEL');
    expect(await recover('power-cycle', recorder)).toEqual(DONE);
    expect(recorder.saved).toEqual([
      { consoleTail: '', status: 'not captured: capture a-1 does not work', files: [] },
    ]);
  });
});

describe('resume', () => {
  it('touches nothing where it cannot be told whether there is space', async () => {
    const recorder = new Recorder();
    const disks = [{ name: 'a', path: '/nonexistent/disk.img', format: 'raw' as const, readOnly: false }];
    expect(await recover('resume', recorder, { disks })).toMatchObject({ result: 'impossible' });
    expect(recorder.calls).toEqual([]);
  });

  it('touches nothing where no space is left', async () => {
    const recorder = new Recorder();
    // A file system of the kernel has files and no room.
    const disks = [{ name: 'a', path: '/proc/version', format: 'raw' as const, readOnly: false }];
    expect(await recover('resume', recorder, { disks })).toMatchObject({
      result: 'impossible',
      code: 'ERR_VMPULSE_NO_SPACE',
    });
    expect(recorder.calls).toEqual([]);
  });

  it('does not ask for space on a disk that is only read', async () => {
    const recorder = new Recorder();
    const disks = [{ name: 'a', path: '/proc/version', format: 'raw' as const, readOnly: true }];
    expect(await recover('resume', recorder, { disks })).toEqual(DONE);
  });
});

describe('the registry', () => {
  it('has a recovery for every step that a driver can take today', () => {
    expect([...createRecoveries().keys()]).toEqual([
      'continue-process',
      'resume',
      'restart-service',
      'exec',
      'reset-network',
      'cleanup',
      'start',
      'reboot',
      'reset',
      'power-cycle',
      'recreate',
    ]);
  });

  it('takes the recoveries of a host program', async () => {
    const own = { run: async () => ({ result: 'done' as const }) };
    const registry = createRecoveries({ reset: own, escalate: own });
    expect(registry.get('reset')).toBe(own);
    expect(registry.get('escalate')).toBe(own);
    expect(registry.get('start')).toBe(createRecoveries().get('start'));
  });
});
