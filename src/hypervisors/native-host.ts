import type { ProbeEngine } from '../engine/probe-engine.js';
import { FileLock, kvmCanary, openProcess } from '../kernel/index.js';
import type { ProcessIdentity } from '../model/vm.js';
import type { WorkerPool } from '../pool/index.js';
import type { DriverHost, ProcessHandle } from './host.js';

/** The real host: channels of the engine, pidfds, locks and KVM of the kernel addon, threads of the pool. */
export function nativeHost(
  engine: Pick<ProbeEngine, 'openChannel'>,
  pool: Pick<WorkerPool, 'run'>,
): DriverHost {
  return {
    openChannel: (options) => engine.openChannel(options),
    openProcess: (process) => pidfdHandle(process),
    lockFile: (path) => {
      const lock = new FileLock(path);
      return { remove: () => lock.remove() };
    },
    runInPool: (worker, args, options) => pool.run(worker, args, options),
    kvmCanary: async (options) => {
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
