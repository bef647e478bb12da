import type { VmmSpec, WatchdogDevice } from '../hypervisor.js';

/** How a QEMU VM is built when vmpulse starts it, or found when it adopts it. */
export interface QemuSpec extends VmmSpec {
  readonly driver: 'qemu';
  readonly machine: string;
  /** `auto` uses KVM only where guests really run under it. */
  readonly accel: 'auto' | 'kvm' | 'tcg';
  readonly cpu?: string;
  readonly pvpanic: boolean;
  /** What it can be given while it runs; unset: no more than it has. */
  readonly maxMemoryMiB?: number;
  readonly watchdog?: WatchdogDevice;
  /** vmpulse's own agent has a port: beside that of the QEMU guest agent, or alone. Unset: it has none. */
  readonly vmpulseAgent?: 'beside' | 'alone';
  readonly adopt?: {
    readonly qmpSocket: string;
    readonly agentSocket?: string;
    readonly vmpulseAgentSocket?: string;
    readonly pidFile?: string;
  };
}
