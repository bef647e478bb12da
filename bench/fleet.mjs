// The real runtime, with a real engine and a real journal, on a fleet of stand-in VMs.
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openJournal, Vmpulse } from '../dist/index.js';
import { DEFAULT_RECOVERY } from '../dist/policy/index.js';
import { CORES, spawnOn } from './cores.mjs';
import { loopbackAddress, startResponder } from './responder.mjs';
import { StandInDriver } from './stand-in-driver.mjs';

const PATIENCE_MS = 120_000;
/** One recovery after the other, as fast as they come, however many VMs fail at once. */
const UNHELD = { maxBootsPerMinute: 1_000_000, brakeMinVms: 1_000_000, sharedCauseMinVms: 1_000_000 };
const LOOK_EVERY_MS = 5;
const LOOKS_A_TURN = 250;

export const vmName = (n) => `bench/vm-${n}`;

/** A VM with readiness and liveness by TCP, and by process if it has a real one. */
function vmOf(n, port, { periodMs, real, readyPort = port }) {
  const timing = {
    initialDelayMs: 0,
    periodMs,
    timeoutMs: Math.min(1000, periodMs / 2),
    successThreshold: 1,
    failureThreshold: 1,
  };
  const probe = (name, role, check, critical) => ({
    ...{ name, role, check, critical, timing },
    ...{ enabled: true, weight: 1 },
  });
  const tcp = (at) => ({ kind: 'tcpSocket', port: at });
  return {
    id: vmName(n),
    namespace: 'bench',
    name: `vm-${n}`,
    uuid: '00000000-0000-4000-8000-000000000001',
    labels: {},
    annotations: {},
    runStrategy: 'Always',
    startPriority: 0,
    address: loopbackAddress(n),
    hypervisor: { driver: 'qemu', disks: [], interfaces: [] },
    probes: [
      probe('readiness', 'readiness', tcp(readyPort), false),
      probe('liveness', 'liveness', tcp(port), true),
      ...(real ? [probe('vmm-process', 'check', { kind: 'vmmProcess' }, false)] : []),
    ],
    recovery: { ...DEFAULT_RECOVERY, enabled: true },
    machineDigest: 'bench',
  };
}

/**
 * `use(fleet)` with a fleet that is healthy; all of it has ended afterwards, its files are left in `dir`. The first
 * `real` VMs have a VMM to kill; the first `changing` have a readiness port that flaps once `flap(periodMs)` was called.
 * `driver`, `engine`: instead of new ones; `changed(spec)`: a VM as it is to be.
 */
export async function withHealthyFleet(
  {
    vms,
    real,
    changing = 0,
    periodMs,
    policy,
    dir: parent,
    driver = new StandInDriver(),
    engine,
    changed = (spec) => spec,
  },
  use,
) {
  const dir = await mkdtemp(join(parent, 'fleet-'));
  const journal = await openJournal({ path: join(dir, 'journal.db') });
  const { port, stop } = await startResponder();
  const flapping = changing > 0 ? await startFlapping() : undefined;
  const specs = Array.from({ length: vms }, (_, n) => {
    const readyPort = n < changing ? flapping.port : port;
    return changed(vmOf(n, port, { periodMs, real: n < real, readyPort }));
  });
  const vmpulse = new Vmpulse({
    vms: specs,
    runDir: dir,
    stateDir: dir,
    journal,
    drivers: { qemu: driver },
    ...(engine === undefined ? {} : { engine }),
    policy: policy ?? UNHELD,
    journalDeadlineMs: 60_000,
  });
  try {
    await Promise.all(specs.map((vm, n) => driver.boot(vm, n < real)));
    const startedAt = performance.now();
    await vmpulse.start();
    const startMs = performance.now() - startedAt;
    const all = (is) => everyVm(vmpulse, specs, is);
    await all((vm) => vm.health === 'healthy');
    const fleet = { specs, driver, all, startMs, stopResponder: stop };
    const render = (encoding) => vmpulse.renderMetrics(encoding);
    const scrape = async () => Buffer.from(await render('identity')).toString();
    return await use({ ...fleet, flap: (ms) => flapping.flap(ms), render, scrape });
  } finally {
    await vmpulse.close();
    await journal.close();
    driver.close();
    flapping?.stop();
    await stop();
  }
}

/** A port of its own process, so that its work is not in the figures. */
async function startFlapping() {
  const program = fileURLToPath(new URL('./processes/flapping.mjs', import.meta.url));
  const child = spawnOn(CORES.others, process.execPath, [program], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const [port] = await once(child, 'message');
  return { port, flap: (periodMs) => child.send(periodMs), stop: () => child.disconnect() };
}

/** Resolves once `is` has held for every VM; each is looked at only until it did, and few in a turn, so that looking stalls nothing. */
async function everyVm(vmpulse, specs, is) {
  const endsAt = performance.now() + PATIENCE_MS;
  const left = specs.map((vm) => vm.id);
  for (;;) {
    for (
      let looked = 0;
      looked < LOOKS_A_TURN && left.length > 0 && is(vmpulse.viewVm(left.at(-1)));
      looked++
    )
      left.pop();
    const id = left.at(-1);
    if (id === undefined) return;
    if (performance.now() > endsAt) {
      const { health, note } = vmpulse.viewVm(id);
      const said = vmpulse.view().degradations.map(({ why }) => why);
      throw new Error(
        `waited in vain for up to ${left.length} VMs; ${id} is ${health} ${note}; ${said[0] ?? ''}`,
      );
    }
    await sleep(LOOK_EVERY_MS);
  }
}
