// From what really happens to the policy being told of it, through the real runtime and engine.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ProbeEngine } from '../../dist/engine/index.js';
import { createTap, linkInfo, setLinkUp } from '../../dist/kernel/index.js';
import { PolicyLoop } from '../../dist/runtime/policy-loop.js';
import { vmName, withHealthyFleet } from '../fleet.mjs';
import { WiredDriver } from '../wired-driver.mjs';

const PEER = fileURLToPath(new URL('../processes/qmp-peer.mjs', import.meta.url));
const BETWEEN_MS = 25;
const PATIENCE_MS = 60_000;
const TAP = 'vmpbench0';
/** TUNSETIFF with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR: somebody has to be at the other end, as a VMM is. */
const HOLD_TAP = `open(F, '+<', '/dev/net/tun') or die; my $r = pack('a16 s x22', '${TAP}', 0x5002);
ioctl(F, 0x400454ca, $r) or die "TUNSETIFF: $!"; $| = 1; print "held\n"; <STDIN>;`;

/**
 * Milliseconds, one an event: the end of a VMM's process by SIGKILL, an event that another process writes to a monitor, and a
 * TAP device that goes down and up again (`isolated`: this process is alone in a network namespace; else left out).
 */
export async function signals({ vms, events, periodMs, isolated, dir }) {
  const heard = new Heard();
  const path = join(dir, 'peer.sock');
  const peer = fork(PEER, [path]);
  await once(peer, 'message');
  const holder = isolated ? await holdTap() : undefined;
  const engine = new ProbeEngine();
  const wired = vmName(vms - 1);
  const driver = new WiredDriver(engine, wired, path);
  const interfaces = isolated ? [{ type: 'tap', device: TAP }] : [];
  const fleet = { vms, real: events, periodMs, driver, engine, dir };
  try {
    const changed = (spec) =>
      spec.id === wired ? { ...spec, hypervisor: { ...spec.hypervisor, interfaces } } : spec;
    return await withHealthyFleet({ ...fleet, changed }, async ({ specs }) => ({
      written: await written(heard, peer, wired, events),
      downed: isolated ? await downed(heard, wired, events) : [],
      // Last, as what is done about it takes its time.
      killed: await killed(heard, driver, specs.slice(0, events)),
    }));
  } finally {
    await engine.close();
    peer.disconnect();
    holder?.stdin.end();
  }
}

async function killed(heard, driver, specs) {
  const samples = [];
  for (const vm of specs) {
    await sleep(BETWEEN_MS);
    const seen = heard.next(
      (event) => event.type === 'probe' && event.vm === vm.id && event.reason === 'process-gone',
    );
    const begun = process.hrtime.bigint();
    driver.kill(vm);
    samples.push(ms(begun, await seen));
  }
  return samples;
}

async function written(heard, peer, vm, events) {
  const samples = [];
  for (let n = 0; n < events; n++) {
    await sleep(BETWEEN_MS);
    const [name, type] = n % 2 === 0 ? ['STOP', 'paused'] : ['RESUME', 'resumed'];
    const seen = heard.next(vmmEvent(vm, (event) => event.type === type));
    const told = once(peer, 'message');
    peer.send(name);
    const [[begun], at] = await Promise.all([told, seen]);
    samples.push(ms(BigInt(begun), at));
  }
  return samples;
}

async function downed(heard, vm, events) {
  const samples = [];
  for (let n = 0; n < events; n++) {
    await sleep(BETWEEN_MS);
    const isUp = n % 2 === 1;
    const fault = isUp ? null : 'tap-down';
    const seen = heard.next(vmmEvent(vm, (event) => event.type === 'link' && event.fault === fault));
    const begun = process.hrtime.bigint();
    setLinkUp(TAP, isUp);
    samples.push(ms(begun, await seen));
  }
  return samples;
}

async function holdTap() {
  setLinkUp('lo', true);
  createTap(TAP);
  const holder = spawn('perl', ['-e', HOLD_TAP], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  setLinkUp(TAP, true);
  for (const endsAt = performance.now() + PATIENCE_MS; linkInfo(TAP)?.carrier !== true; ) {
    if (performance.now() > endsAt) throw new Error(`${TAP} has no carrier`);
    await sleep(BETWEEN_MS);
  }
  return holder;
}

const vmmEvent = (vm, is) => (event) => event.type === 'vmm-event' && event.vm === vm && is(event.event);
const ms = (from, to) => Number(to - from) / 1e6;

/** Hears what the policy is told, at the moment at which it is: nothing between the runtime and the policy says it sooner. */
class Heard {
  #is = () => false;
  #resolve = () => {};

  constructor() {
    const { post } = PolicyLoop.prototype;
    const tell = (event) => this.#tell(event);
    PolicyLoop.prototype.post = function (event) {
      tell(event);
      return post.call(this, event);
    };
  }

  /** When the next such event came, nanoseconds of the monotonic clock. */
  next(is) {
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error('waited in vain for the policy to be told')),
        PATIENCE_MS,
      );
      this.#is = is;
      this.#resolve = (at) => {
        clearTimeout(late);
        resolve(at);
      };
    });
  }

  #tell(event) {
    if (!this.#is(event)) return;
    this.#is = () => false;
    this.#resolve(process.hrtime.bigint());
  }
}
