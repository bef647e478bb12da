import { readFile } from 'node:fs/promises';
import type { Channel, ProbeEngine } from '../engine/probe-engine.js';
import { GuestAgents } from '../guest-agent/guest-agents.js';
import { whichAgent } from '../guest-agent/which-agent.js';
import { kernelMissing, openProcess, readProcessStat } from '../kernel/index.js';
import { systemClock } from '../model/clock.js';
import { Deadline } from '../model/deadline.js';
import { isVmpulseError, VmpulseError } from '../model/errors.js';
import { given } from '../model/given.js';
import type { GuestAccess } from '../model/guest.js';
import type { ProbeResult } from '../model/outcome.js';
import { plainText } from '../model/plain-text.js';
import type { FailureReason } from '../model/reasons.js';
import { WorkerPool } from '../pool/index.js';
import { HostResolver } from '../probes/dns/host-resolver.js';
import { type Finding, lookOnce } from '../probes/external.js';
import { prepareCheck } from '../probes/prepare-check.js';
import type { LowerContext, ProbeTarget } from '../probes/probe-kind.js';

export interface ProbeRun {
  readonly timeoutMs: number;
  readonly debug: boolean;
}

/** Probes the target once. What cannot be reached to be probed at all is a failure too: no such name, no such process. */
export async function probeTarget(
  engine: ProbeEngine,
  target: ProbeTarget,
  run: ProbeRun,
): Promise<ProbeResult> {
  const begun = performance.now();
  const deadline = new Deadline('the probe', { deadlineMs: run.timeoutMs });
  const pool = new WorkerPool();
  const resolver = new HostResolver({ clock: systemClock });
  const opened = target.process === undefined ? undefined : await openTarget(target.process);
  if (opened === 'gone') return failedBefore('process-gone', begun);
  try {
    const channel =
      target.channel === undefined ? undefined : await openChannel(engine, target.channel, deadline);
    const handle = channel?.handle;
    const prepared = await prepareCheck(target.check, {
      setting: {
        probe: target.check.kind,
        timing: { periodMs: run.timeoutMs, timeoutMs: run.timeoutMs },
        clock: systemClock,
        debug: run.debug,
        guest: channel && guestBehind(channel, deadline),
        runInPool: (worker, args, options) => pool.run(worker, args, options),
        runTogether: (worker, args, options) => pool.run(worker, args, options),
        resolveHost: (host, options) => resolver.resolve(host, options),
      },
      engine,
      readFile: (path) => readFile(path, 'utf8'),
      ...(handle === undefined ? {} : { channels: { monitor: handle, agent: handle } }),
      ...given({ process: opened?.process }),
    });
    const timeoutMs = Math.max(1, deadline.remainingMs());
    if (prepared.external) {
      return external(await lookOnce(prepared.external, { timeoutMs, clock: systemClock }), begun);
    }
    const result = await engine.probeOnce(prepared.check, { timeoutMs, debug: run.debug });
    return channel === undefined ? result : withChannel(result, channel, begun);
  } finally {
    opened?.close();
    await pool.close();
  }
}

function external(
  { outcome, message, warnings = [], details = {}, debug }: Finding,
  begun: number,
): ProbeResult {
  return {
    outcome,
    durationMs: performance.now() - begun,
    warnings,
    details: message === undefined ? details : { ...details, message },
    ...given({ debug }),
  };
}

/** The guest whose agent answers there; which agent that is is asked when it is needed. */
function guestBehind({ channel }: OpenedChannel, deadline: Deadline): GuestAccess {
  const agents = async () => new GuestAgents('the guest', await whichAgent(channel, deadline.step()));
  return {
    exec: async (argv, options) => (await agents()).exec(argv, options),
    resources: async (options) => (await agents()).resources(options),
  };
}

interface OpenedChannel {
  readonly channel: Channel;
  readonly handle: number;
  /** Why it cannot be used, as far as that is known by now. */
  readonly trouble: () => string | undefined;
}

/** Opens the socket as a channel and waits until it is known whether it speaks; the probe then says so in its words. */
async function openChannel(
  engine: ProbeEngine,
  place: NonNullable<ProbeTarget['channel']>,
  deadline: Deadline,
): Promise<OpenedChannel> {
  const channel = engine.openChannel({
    ...place,
    greetingTimeoutMs: Math.max(1, deadline.remainingMs()),
  });
  let trouble: string | undefined;
  const known = new Promise<void>((resolve) => {
    channel.onEvent((event) => {
      if (event.type !== 'connected' && event.type !== 'disconnected') return;
      trouble = event.type === 'connected' ? undefined : `${event.reason}: ${event.detail}`;
      resolve();
    });
  });
  await deadline.race(known).catch((error: unknown) => {
    if (!isVmpulseError(error, 'ERR_VMPULSE_TIMEOUT')) throw error;
  });
  return { channel, handle: channel.handle, trouble: () => trouble };
}

/** The channel is part of the probe: the time it took, and what was wrong with it. */
function withChannel(result: ProbeResult, channel: OpenedChannel, begun: number): ProbeResult {
  const trouble = result.outcome.result === 'ok' ? undefined : channel.trouble();
  const details =
    trouble === undefined ? result.details : { ...result.details, message: plainText(trouble, 500) };
  return { ...result, durationMs: performance.now() - begun, details };
}

interface OpenedTarget {
  readonly process: NonNullable<LowerContext['process']>;
  readonly close: () => void;
}

async function openTarget(process: NonNullable<ProbeTarget['process']>): Promise<OpenedTarget | 'gone'> {
  const pid = 'pid' in process ? process.pid : await readPid(process.pidFile);
  if (kernelMissing() !== undefined) {
    const stat = readProcessStat(pid);
    if (stat === undefined) return 'gone';
    return { process: { pid, startTimeTicks: stat.startTimeTicks }, close: () => {} };
  }
  try {
    const { pidfd } = openProcess(pid);
    return { process: { pidfd: pidfd.fd, pid }, close: () => pidfd.close() };
  } catch (error) {
    if (isVmpulseError(error, 'ERR_VMPULSE_SYSCALL') && error.details.errno === 'ESRCH') return 'gone';
    throw error;
  }
}

async function readPid(path: string): Promise<number> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new VmpulseError(
      'ERR_VMPULSE_USAGE',
      `the PID file ${plainText(path)} cannot be read; give another one, or a PID`,
      { cause },
    );
  });
  const pid = /^\s*(\d{1,7})\s*$/.exec(text)?.[1];
  if (pid === undefined || Number(pid) < 1) throw usage(`${plainText(path)} holds no PID`);
  return Number(pid);
}

function failedBefore(reason: FailureReason, begun: number, detail?: string): ProbeResult {
  return {
    outcome: { result: 'failed', reason },
    durationMs: performance.now() - begun,
    warnings: [],
    details: detail === undefined ? {} : { message: plainText(detail) },
  };
}

function usage(text: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_USAGE', text);
}
