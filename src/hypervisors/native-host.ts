import { access, constants } from 'node:fs/promises';
import type { ProbeEngine } from '../engine/probe-engine.js';
import { FileLock, kernelMissing, kvmCanary, openProcess, readProcessStat } from '../kernel/index.js';
import { errnoOf, errorMessage, VmpulseError } from '../model/errors.js';
import { given } from '../model/given.js';
import type { ProcessIdentity } from '../model/vm.js';
import type { WorkerPool } from '../pool/index.js';
import type { DriverHost, ProcessHandle } from './host.js';

/** What the runtime gives drivers beside that. */
interface HostPorts {
  readonly network?: DriverHost['network'];
  readonly storage?: DriverHost['storage'];
}

/**
 * The real host: channels of the engine, pidfds, locks and KVM of the kernel addon, threads of the pool. Without the addon
 * processes are known by PID and start time, nothing is locked, and KVM is believed to work where it can be opened.
 */
export function nativeHost(
  engine: Pick<ProbeEngine, 'openChannel'>,
  pool: Pick<WorkerPool, 'run'>,
  { network, storage }: HostPorts = {},
): DriverHost {
  return {
    ...given({ network, storage }),
    openChannel: (options) => engine.openChannel(options),
    openProcess: (process) => (kernelMissing() === undefined ? pidfdHandle(process) : pidHandle(process)),
    lockFile: (path) => {
      if (kernelMissing() !== undefined) return { remove: () => {} };
      const lock = new FileLock(path);
      return { remove: () => lock.remove() };
    },
    runInPool: (worker, args, options) => pool.run(worker, args, options),
    kvmCanary: async (options) => {
      if (kernelMissing() !== undefined) return await openableKvm();
      const result = await kvmCanary(options);
      return result.ok ? { ok: true } : { ok: false, reason: `${result.reason}, ${result.detail}` };
    },
  };
}

function pidfdHandle({ pid, startTimeTicks }: ProcessIdentity): ProcessHandle {
  const { pidfd } = openProcess(pid, startTimeTicks);
  return {
    fd: pidfd.fd,
    signal: (signal) => pidfd.signal(signal),
    close: () => pidfd.close(),
  };
}

/** PID and start time; between the look and the signal the PID could become another process's, which takes a full turn of all PIDs. */
function pidHandle(identity: ProcessIdentity): ProcessHandle {
  const { pid, startTimeTicks } = identity;
  const look = (): void => {
    if (readProcessStat(pid)?.startTimeTicks === startTimeTicks) return;
    throw new VmpulseError('ERR_VMPULSE_IDENTITY', `process ${pid} is not the expected one: it is gone`, {
      details: { pid },
    });
  };
  look();
  return {
    fd: undefined,
    signal: (signal) => {
      try {
        look();
        process.kill(pid, signal);
      } catch (cause) {
        const errno = errnoOf(cause) || 'ESRCH';
        throw new VmpulseError('ERR_VMPULSE_SYSCALL', `kill ${pid}: ${errorMessage(cause)}`, {
          cause,
          details: { errno: errno.startsWith('ERR_') ? 'ESRCH' : errno, syscall: 'kill' },
        });
      }
    },
    close: () => {},
  };
}

async function openableKvm(): Promise<{ ok: true } | { ok: false; reason: string }> {
  try {
    await access('/dev/kvm', constants.R_OK | constants.W_OK);
    return { ok: true };
  } catch (error) {
    return { ok: false, reason: errorMessage(error) };
  }
}
