import type { Channel, ChannelEvent, ChannelOptions } from '../../../src/engine/probe-engine.js';
import type { DriverHost } from '../../../src/hypervisors/host.js';
import { identify, livingState } from '../../../src/hypervisors/process.js';
import scan from '../../../src/hypervisors/vmm/proc-scan/worker.js';
import { VmpulseError } from '../../../src/model/errors.js';
import type { QemuSpec } from '../../../src/model/hypervisors/qemu.js';
import type { VmSpec } from '../../../src/model/vm.js';
import { DEFAULT_RECOVERY } from '../../../src/policy/index.js';

export const UUID = '5d307ca9-b3ef-428c-8861-06e72d69f223';

export function testVm(hypervisor: Partial<QemuSpec> = {}, rest: Partial<VmSpec> = {}): VmSpec<QemuSpec> {
  return {
    id: 'default/web-1',
    namespace: 'default',
    name: 'web-1',
    uuid: UUID,
    labels: {},
    annotations: {},
    runStrategy: 'Always',
    probes: [],
    machineDigest: 'digest-1',
    recovery: {
      ...DEFAULT_RECOVERY,
      enabled: true,
      graceMs: 0,
      stableForMs: 0,
      wedgedAfterMs: 0,
      vetoWindowMs: 0,
      maxConsecutive: 3,
      maxPer24h: 10,
      backoff: { baseMs: 0, capMs: 0, jitter: 0 },
      breaker: { failures: 5, holdMs: 0 },
      stepTimeoutMs: 1000,
      gracefulStopMs: 1000,
    },
    ...rest,
    hypervisor: {
      driver: 'qemu',
      binary: 'qemu-system-x86_64',
      machine: 'q35',
      accel: 'tcg',
      memoryMiB: 128,
      vcpus: 1,
      disks: [],
      interfaces: [],
      guestAgent: true,
      pvpanic: true,
      extraArgs: [],
      ...hypervisor,
    },
  };
}

type Answer = (args: Readonly<Record<string, unknown>> | undefined) => unknown;

/** A channel in memory: what it answers is a table, its events come when the test says so. */
export class FakeChannel implements Channel {
  readonly handle = 1;
  connected = true;
  closed = false;
  /** Commands in the order of their coming. */
  readonly requests: { readonly command: string; readonly args: unknown }[] = [];
  readonly answers = new Map<string, Answer>();
  #listener: ((event: ChannelEvent) => void) | undefined;

  get commands(): string[] {
    return this.requests.map(({ command }) => command);
  }

  /** A missing entry never answers, as a VMM that hangs. */
  on(command: string, answer: Answer): this {
    this.answers.set(command, answer);
    return this;
  }

  emit(name: string, data: unknown = {}, atMs = 0): void {
    this.#listener?.({ type: 'event', name, data, atMs });
  }

  tell(event: ChannelEvent): void {
    this.connected = event.type === 'connected';
    this.#listener?.(event);
  }

  async request(
    command: string,
    args: Readonly<Record<string, unknown>> | undefined,
    options: { deadlineMs: number; signal?: AbortSignal },
  ): Promise<unknown> {
    this.requests.push({ command, args });
    const answer = this.answers.get(command);
    if (answer !== undefined) return answer(args);
    return new Promise((_, reject) => {
      const fail = () => reject(new VmpulseError('ERR_VMPULSE_TIMEOUT', `${command} was not answered`));
      setTimeout(fail, options.deadlineMs);
      options.signal?.addEventListener('abort', fail, { once: true });
    });
  }

  onEvent(listener: (event: ChannelEvent) => void): void {
    this.#listener = listener;
  }

  close(): void {
    this.closed = true;
  }
}

/** A host whose processes are real and looked for in this thread; channels, locks and KVM are the test's. */
export function testHost(
  parts: Partial<DriverHost> = {},
): DriverHost & { readonly opened: ChannelOptions[] } {
  const locked = new Set<string>();
  const opened: ChannelOptions[] = [];
  return {
    opened,
    openChannel: (options) => {
      opened.push(options);
      return new FakeChannel();
    },
    openProcess: (wanted) => {
      if (identify(wanted.pid)?.startTimeTicks !== wanted.startTimeTicks) {
        throw new VmpulseError('ERR_VMPULSE_IDENTITY', 'another process');
      }
      return {
        fd: 99,
        signal: (signal) => {
          if (livingState(wanted) !== undefined) process.kill(wanted.pid, signal);
        },
        close: () => {},
      };
    },
    lockFile: (path) => {
      if (locked.has(path)) throw new VmpulseError('ERR_VMPULSE_LOCKED', `${path} is locked`);
      locked.add(path);
      return { remove: () => locked.delete(path) };
    },
    // As it passes between threads: only what can be cloned.
    runInPool: async (_worker, task) =>
      structuredClone(scan(structuredClone(task) as Parameters<typeof scan>[0])),
    kvmCanary: async () => ({ ok: true }),
    ...parts,
  };
}
