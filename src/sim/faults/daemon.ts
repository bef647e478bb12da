import type { SimHost } from '../sim-host.js';
import type { World } from '../world.js';
import { crashMeanwhile, type FaultKind, hostFault, MINUTE_MS } from './fault.js';

/** The daemon is killed, and its service manager starts it again. */
function crash(host: SimHost, world: World, meanwhile: () => void = () => {}): void {
  if (host.daemon === null) return;
  world.story(host, null, 'the daemon is killed');
  host.killDaemon();
  meanwhile();
  world.timeline.after(world.random.between(1, 60) * 1000, () => {
    if (host.daemon !== null || host.isDown) return;
    world.story(host, null, 'the daemon is started');
    host.startDaemon();
  });
}

/** Probes say nothing for a while, and it is not the VMs. */
function hindrance(name: string, why: NonNullable<SimHost['hindered']>): FaultKind {
  return hostFault(name, (host, world) => {
    const hinder = (how: SimHost['hindered']) =>
      host.change(() => {
        host.hindered = how;
      });
    hinder(why);
    host.blocked.begin('starved');
    world.timeline.after(world.random.between(10, 20 * 60) * 1000, () => {
      hinder(null);
      host.blocked.end('starved');
    });
    return true;
  });
}

export const DAEMON_FAULTS: readonly FaultKind[] = [
  hostFault('daemon-crash', (host, world) => {
    crash(host, world);
    if (world.random.chance(0.3)) crashMeanwhile(host, world);
    return true;
  }),
  // In the middle of the next action, wherever that is.
  hostFault('daemon-crash-acting', (_host, world) => {
    const afterMs = world.random.between(0, 3_000);
    world.onNextAct((vm) => {
      world.timeline.after(afterMs, () => crash(vm.host, world));
    });
    return true;
  }),
  hostFault('journal-full', (host, world) => {
    const { timeline, random, operator } = world;
    host.disk.full = true;
    host.blocked.begin('journal');
    host.daemon?.journal.diskChanged();
    timeline.after(random.between(2, 90) * 1000, () => crashMeanwhile(host, world));
    timeline.after(random.between(1, 30) * MINUTE_MS, () => {
      host.disk.full = false;
      host.daemon?.journal.diskChanged();
      timeline.after(random.between(1, 20) * MINUTE_MS, () => operator.resume(host));
    });
    return true;
  }),
  // What former runs left cannot be read, or is gone.
  hostFault('journal-loss', (host, world) => {
    const { timeline, random, operator, checker } = world;
    const how = random.chance(0.5) ? 'damaged' : 'gone';
    crash(host, world, () => {
      host.disk.lose(how);
      host.blocked.begin('journal');
      host.hasForgotten = true;
      host.losses += 1;
    });
    for (const vm of host.vms) checker.noteForgotten(vm);
    timeline.after(random.between(61, 110) * 1_000, () => crashMeanwhile(host, world));
    timeline.after(random.between(2, 30) * MINUTE_MS, () => operator.resume(host));
    return true;
  }),
  hindrance('prober-starvation', 'prober-late'),
  // The daemon reaches its limit of open files: it hears what it is connected to, and connects to nothing new.
  hindrance('descriptor-limit', 'prober-resources'),
  hostFault('clock-step', (host, world) => {
    const { random } = world;
    const stepMs = random.between(1_000, 60 * MINUTE_MS) * (random.chance(0.5) ? 1 : -1);
    host.setClock(stepMs);
    return true;
  }),
];
