import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { type LoadedConfig, loadConfig } from '../../../src/config/index.js';
import { type ChangeRequest, Configuration } from '../../../src/lifecycle/index.js';
import type { Clock } from '../../../src/model/clock.js';
import { silentLogger } from '../../../src/model/logger.js';

export const VM = 'default/web-1';
export const DOCUMENTS = `apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: web-1}
spec: {runStrategy: Manual, template: {spec: {}}}
---
apiVersion: vmpulse.dev/v1
kind: VirtualMachineHost
metadata: {name: web-1}
spec:
  address: 192.0.2.1
  hypervisor: {qemu: {memory: 128Mi}}
  probes: [{name: web, httpGet: {port: 80, httpHeaders: [{name: Authorization, value: Basic c2VjcmV0}]}}]
`;

/** Time that stands still until it is told to go on; never before the real one, which files are judged by. */
class StoppedClock implements Clock {
  #nowMs = Date.now();
  readonly #timers = new Set<{ readonly atMs: number; readonly fn: () => void }>();
  now = () => this.#nowMs;
  monotonic = () => this.#nowMs;
  at(atMs: number, fn: () => void): () => void {
    const timer = { atMs, fn };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
  get waiting(): readonly number[] {
    return [...this.#timers].map(({ atMs }) => atMs);
  }
  advanceTo(atMs: number): void {
    this.#nowMs = atMs;
    vi.setSystemTime(atMs);
    for (const timer of [...this.#timers].filter((each) => each.atMs <= atMs)) {
      this.#timers.delete(timer);
      timer.fn();
    }
  }
}

/** A configuration in files of its own, and who changes it; nothing runs. */
export async function place(documents = DOCUMENTS, config = 'logLevel: warn\n') {
  vi.useFakeTimers({ toFake: ['Date'] });
  const dir = mkdtempSync(join(tmpdir(), 'vmpulse-configuration-'));
  onTestFinished(() => {
    vi.useRealTimers();
    rmSync(dir, { recursive: true, force: true });
  });
  const [configPath, stateDir] = [join(dir, 'config.yaml'), join(dir, 'state')];
  mkdirSync(stateDir);
  writeFileSync(join(dir, 'vms.yaml'), documents);
  writeFileSync(configPath, `stateDir: ${stateDir}\nmanifests: [vms.yaml]\n${config}`);
  const clock = new StoppedClock();
  const records: string[] = [];
  const degradations = new Map<string, string>();
  let loaded: LoadedConfig = await loadConfig(configPath);
  let failing: Error | undefined;
  let unrecorded: Error | undefined;
  const open = () => {
    const configuration = new Configuration({
      configPath,
      stateDir,
      loaded: () => loaded,
      reload: async () => {
        if (failing) throw failing;
        loaded = await loadConfig(configPath);
      },
      spec: (id) => {
        const found = loaded.vms.find((vm) => vm.id === id);
        if (!found) throw new Error(`no ${id}`);
        return found;
      },
      record: async (vm, text) => {
        if (unrecorded) throw unrecorded;
        records.push(`${vm}: ${text}`);
      },
      degrade: (what, why) => {
        if (why === undefined) degradations.delete(what);
        else degradations.set(what, why);
      },
      clock,
      logger: silentLogger,
    });
    onTestFinished(() => configuration.close());
    return configuration;
  };
  const configuration = open();
  await configuration.start();
  const request = (changes: ChangeRequest['changes'], more: Partial<ChangeRequest> = {}) =>
    ({ changes, forMs: null, reason: '', author: 'ann@0', dryRun: false, ...more }) satisfies ChangeRequest;
  return {
    dir,
    stateDir,
    configPath,
    clock,
    records,
    degradations,
    configuration,
    open,
    vm: () => loaded.vms[0],
    loaded: () => loaded,
    failJournal: (error: Error | undefined) => {
      unrecorded = error;
    },
    fail: (error: Error | undefined) => {
      failing = error;
    },
    reload: async () => {
      loaded = await loadConfig(configPath);
    },
    change: (changes: ChangeRequest['changes'], more?: Partial<ChangeRequest>) =>
      configuration.change(request(changes, more)),
  };
}
