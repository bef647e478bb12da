import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { isAlive, processIdentity } from '../demo/processes.mjs';
import { BRIDGE, must } from './world.mjs';

/**
 * The faults. `victims`: whom it may touch, `one` VM or `all` of them. `permits`: what may change on a victim: nothing,
 * `boot` (its guest is booted again by the same VMM) or `vmm` (a new VMM). `requires` the change for it to be healed.
 * `inject(play, vm)` makes it; `took(play, vm)`, seen from outside, that it is there; `undo(play, vm)` ends what only
 * the world can end, after `lastsMs`.
 */
export const FAULTS = [
  { name: 'panic', permits: 'boot', requires: 'boot', inject: guest('panic'), took: silent },
  { name: 'hang, spinning', permits: 'boot', requires: 'boot', inject: guest('hang-spin'), took: silent },
  { name: 'hang, halted', permits: 'boot', requires: 'boot', inject: guest('hang-halt'), took: silent },
  { name: 'service death', permits: 'nothing', inject: guest('kill-httpd'), took: silent },
  { name: 'slow service', permits: 'nothing', inject: guest('slow-httpd&ms=4000'), took: silent },
  {
    name: 'agent death',
    permits: 'nothing',
    inject: guest('kill-agent'),
    took: async (play, vm) => (await play.explain(vm)).health === 'degraded',
    lastsMs: 8_000,
    undo: guest('start-agent'),
  },
  {
    name: 'VMM kill',
    permits: 'vmm',
    requires: 'vmm',
    inject: (play, vm) => signal(play, vm, 'SIGKILL'),
    took: (play, vm) => !isAlive(play.before(vm).vmm),
  },
  {
    name: 'VMM stop',
    permits: 'nothing',
    inject: (play, vm) => signal(play, vm, 'SIGSTOP'),
    took: (play, vm) => processIdentity(play.before(vm).vmm.pid)?.state === 'T',
  },
  {
    name: 'QMP held',
    daemon: true,
    permits: 'nothing',
    inject: async (play, vm) => {
      await play.killDaemon();
      play.held = await hold(vm.qmpSocket);
      play.startDaemon();
    },
    // The monitor has greeted us: it is ours.
    took: () => true,
    lastsMs: 15_000,
    undo: (play) => play.held.destroy(),
  },
  {
    name: 'TAP down',
    permits: 'nothing',
    inject: (_, vm) => must('ip', 'link', 'set', vm.tap, 'down'),
    // Down it was; vmpulse hears of it and may have set it up before anybody looks.
    took: () => true,
  },
  {
    name: 'bridge loss',
    victims: 'all',
    permits: 'nothing',
    inject: () => must('ip', 'link', 'set', BRIDGE, 'down'),
    took: () => true,
  },
  {
    name: 'watchdog starvation',
    permits: 'boot',
    requires: 'boot',
    inject: guest('watchdog-stop'),
    // The guest goes on until its watchdog fires.
    took: silent,
    takesMs: 90_000,
  },
  {
    name: 'storage stall',
    victims: 'all',
    permits: 'nothing',
    inject: ({ world }) => must('fsfreeze', '-f', world.disks),
    took: ({ world }) => isFrozen(world),
    lastsMs: 15_000,
    undo: ({ world }) => must('fsfreeze', '-u', world.disks),
  },
  {
    name: 'daemon SIGKILL',
    victims: 'all',
    daemon: true,
    permits: 'nothing',
    inject: async (play) => {
      await play.killDaemon();
      play.startDaemon();
    },
    took: () => true,
  },
];

/** The guest's own fault CGI answers before it does it. */
function guest(fault) {
  return async (_, vm) => {
    const response = await fetch(`${vm.url}/cgi-bin/fault?do=${fault}`, {
      signal: AbortSignal.timeout(20_000),
    });
    if (response.status !== 200) throw new Error(`${vm.id} refused ${fault}: HTTP ${response.status}`);
    await response.text();
  };
}

function signal(play, vm, name) {
  const { vmm } = play.before(vm);
  if (!isAlive(vmm)) throw new Error(`${vm.id}: process ${vmm.pid} is not its VMM any more`);
  process.kill(vmm.pid, name);
}

async function silent(play, vm) {
  return !(await play.serves(vm));
}

/** A second freeze of a frozen file system is refused. */
function isFrozen({ disks }) {
  const again = spawnSync('fsfreeze', ['-f', disks], { encoding: 'utf8' });
  if (again.status !== 0) return true;
  must('fsfreeze', '-u', disks);
  return false;
}

/** Takes the place of the one client that a monitor serves. */
function hold(path) {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('error', reject);
    socket.once('data', () => {
      socket.on('error', () => {});
      socket.write('{"execute":"qmp_capabilities"}\n', () => resolve(socket));
    });
  });
}
