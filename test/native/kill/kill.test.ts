import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openJournal } from '../../../src/runtime/journal/index.js';
import { PHASES, type Phase, SurvivingHypervisor } from './surviving-hypervisor.js';

const DAEMON = fileURLToPath(new URL('daemon.mjs', import.meta.url));
const KILLS_A_PHASE = 20;
const NAMES = ['a', 'b'];
const VMS = NAMES.map((name) => `test/${name}`);
const MINUTE = 60_000;

const dir = mkdtempSync(join(tmpdir(), 'vmpulse-kill-'));
const journalPath = join(dir, 'journal.db');
let hypervisor: SurvivingHypervisor;
let daemon: ChildProcess;
let output = '';

function startDaemon(): void {
  const args = [DAEMON, join(dir, 'hypervisor.sock'), journalPath, ...NAMES];
  daemon = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [daemon.stdout, daemon.stderr])
    stream?.on('data', (data: Buffer) => {
      output = (output + data.toString()).slice(-10_000);
    });
}

async function end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return daemon.exitCode;
  const exited = once(daemon, 'exit');
  daemon.kill(signal);
  await exited;
  return daemon.exitCode;
}

/** Every VM is really well, and the daemon knows it. */
async function allWell(what: string): Promise<void> {
  const isWell = () =>
    VMS.every((vm) => {
      const pid = hypervisor.wellPid(vm);
      return (
        pid !== undefined &&
        hypervisor.view.some((v) => v.id === vm && v.health === 'healthy' && v.pid === pid)
      );
    });
  await vi.waitUntil(isWell, { timeout: MINUTE, interval: 10 }).catch(() => {
    throw new Error(`${what}: not all are well: ${JSON.stringify(hypervisor.view)}; ${output}`);
  });
}

/**
 * Kills the daemon at the first moment of this kind. Frozen: it gets no further than that. Otherwise it runs on until
 * the signal reaches it, which a few turns of the event loop put off.
 */
function killAt(phase: Phase, round: number): Promise<void> {
  const frozen = round % 2 === 0;
  return new Promise((killed) => {
    hypervisor.onPhase = async (reached) => {
      if (reached !== phase) return;
      hypervisor.onPhase = async () => {};
      const kill = async () => {
        for (let turn = 0; turn < round; turn++) await new Promise(setImmediate);
        await end('SIGKILL');
        killed();
      };
      const done = kill();
      if (frozen) await done;
    };
  });
}

beforeAll(async () => {
  hypervisor = new SurvivingHypervisor(join(dir, 'hypervisor.sock'));
  for (const vm of VMS) await hypervisor.boot(vm);
  startDaemon();
  await allWell('at first');
});

afterAll(async () => {
  await end('SIGKILL');
  await hypervisor.close();
  rmSync(dir, { recursive: true, force: true });
});

describe(`a daemon that is killed ${KILLS_A_PHASE} times in each phase of an action`, () => {
  it.each(PHASES)(
    '%s: starts nothing twice, resets nobody who is well, and heals all',
    async (phase) => {
      for (let round = 0; round < KILLS_A_PHASE; round++) {
        const killed = killAt(phase, round);
        await hypervisor.kill('test/a');
        hypervisor.panic('test/b');
        await killed;
        startDaemon();
        await allWell(`round ${round}`);
        expect(hypervisor.violations, `round ${round}`).toEqual([]);
      }
    },
    10 * MINUTE,
  );

  it('has an entry for every action, and leaves none open', async () => {
    expect(await end('SIGTERM'), output).toBe(0);
    const journal = await openJournal({ path: journalPath });
    try {
      expect(await journal.unfinished()).toEqual([]);
      const entries = await journal.read({ limit: 10_000 });
      const started = entries.filter(({ type }) => type === 'action-start');
      const ids = started.map(({ actionId }) => actionId);
      expect(new Set(ids).size).toBe(ids.length);
      for (const id of hypervisor.durable) expect(ids).toContain(id);
      // Each order had its entry before; some entries had no order, for the daemon died between.
      for (const step of ['start', 'reset'] as const) {
        const begun = started.filter(({ data }) => data.step === step).length;
        expect(hypervisor.done[step]).toBeGreaterThanOrEqual(PHASES.length * KILLS_A_PHASE);
        expect(begun).toBeGreaterThanOrEqual(hypervisor.done[step]);
      }
    } finally {
      await journal.close();
    }
  });
});
