import { once } from 'node:events';
import { random, shuffle } from '../demo/seed.mjs';
import { until } from '../demo/wait.mjs';
import { startDaemon } from '../demo/world.mjs';
import { LAB_GUEST } from '../lab/vm.mjs';
import { ask } from './api.mjs';
import { FAULTS } from './faults.mjs';
import { Observer } from './observer.mjs';

const AT_ONCE = 3;
const TAKE_MS = 60_000;
const HEAL_MS = 240_000;
const READY_MS = 240_000;
const ASK_MS = 3_000;
const POLL_MS = 50;
const SERVES = { headers: { connection: 'close' } };

/** Makes faults, at most three at a time, and judges what came of each from what was seen outside the daemon. */
export class Play {
  results = [];
  /** Changes that no fault permits. */
  falseActs = [];
  #random;
  #active = new Set();
  #signal;
  #say;

  constructor(world, seed, signal, say) {
    this.world = world;
    this.#signal = signal;
    this.#random = random(seed);
    this.#say = say;
    this.startDaemon();
  }

  /** Once everything is healthy: from here on nothing may change that no fault permits. */
  observe() {
    this.observer = new Observer(this.world.vms, (vm, change) => this.#judge(vm, change));
  }

  startDaemon() {
    this.daemon = startDaemon(this.world);
  }

  async killDaemon() {
    const ended = once(this.daemon, 'exit');
    this.daemon.kill('SIGKILL');
    await ended;
  }

  explain(vm) {
    return ask(this.world, `/v1/explain/${encodeURIComponent(vm.id)}`);
  }

  async serves(vm) {
    try {
      const response = await fetch(`${vm.url}${LAB_GUEST.healthPath}`, {
        ...SERVES,
        signal: AbortSignal.timeout(ASK_MS),
      });
      await response.text();
      return response.status === 200;
    } catch {
      return false;
    }
  }

  /** What was seen of the VM before the fault that it has now. */
  before(vm) {
    for (const { before } of this.#active) {
      const seen = before.get(vm.id);
      if (seen !== undefined) return seen;
    }
    throw new Error(`${vm.id} has no fault`);
  }

  async run(count) {
    const running = new Set();
    for (const fault of this.#order(count)) {
      await this.#turn(fault, running);
      const one = this.#make(fault, await this.#victims(fault)).finally(() => running.delete(one));
      running.add(one);
    }
    await Promise.all(running);
  }

  /** Every kind in its turn, each turn in another order. */
  #order(count) {
    const list = [];
    while (list.length < count) list.push(...shuffle(FAULTS, this.#random));
    return list.slice(0, count);
  }

  async #turn(fault, running) {
    const isAlone = ({ victims, daemon }) => victims === 'all' && !daemon;
    const mayBegin = () => {
      const active = [...this.#active].map((one) => one.fault);
      if (active.some(isAlone) || (isAlone(fault) && active.length > 0)) return false;
      if (fault.daemon && active.some(({ daemon }) => daemon)) return false;
      return active.length < AT_ONCE;
    };
    while (!mayBegin()) {
      this.#signal.throwIfAborted();
      await Promise.race(running);
    }
    this.#signal.throwIfAborted();
  }

  /** Healthy ones that have no fault of their own. */
  async #victims(fault) {
    if (fault.victims === 'all') return this.world.vms;
    const taken = new Set([...this.#active].flatMap(({ victims }) => (victims.length === 1 ? victims : [])));
    const free = shuffle(
      this.world.vms.filter((vm) => !taken.has(vm)),
      this.#random,
    );
    return until('a VM without a fault that is healthy', READY_MS, async () => {
      this.#signal.throwIfAborted();
      for (const vm of free) if (await this.#isWell(vm)) return [vm];
      return undefined;
    });
  }

  async #isWell(vm) {
    return (await this.#ill(vm)) === undefined;
  }

  /** What the VM lacks to be well; undefined when it lacks nothing. */
  async #ill(vm) {
    if (this.observer.of(vm) === undefined) return 'its boot id or its VMM was never seen';
    const { health, episode } = await this.explain(vm);
    if (health !== 'healthy') return `the daemon calls it ${health}`;
    return episode === null ? undefined : 'the daemon has an episode open';
  }

  async #make(fault, victims) {
    const before = new Map(victims.map((vm) => [vm.id, { ...this.observer.of(vm) }]));
    const instance = { fault, victims, before, changes: new Set() };
    this.#active.add(instance);
    const whom = victims.length === 1 ? victims[0].id : 'all VMs';
    const startedMs = Date.now();
    const wrong = [];
    try {
      const [vm] = victims;
      this.#say(`  ${whom}: ${fault.name} …`);
      await fault.inject(this, vm);
      await until(
        `${fault.name} on ${whom}`,
        fault.takesMs ?? TAKE_MS,
        async () => {
          this.#signal.throwIfAborted();
          return (await fault.took(this, vm)) ? true : undefined;
        },
        POLL_MS,
      );
      if (fault.undo !== undefined) {
        await new Promise((resolve) => setTimeout(resolve, fault.lastsMs));
        await fault.undo(this, vm);
      }
      await Promise.all(victims.map((one) => this.#healed(instance, one)));
    } catch (error) {
      wrong.push(error.message);
    } finally {
      this.#active.delete(instance);
    }
    const result = {
      fault: fault.name,
      vm: whom,
      healMs: Date.now() - startedMs,
      healed: wrong.length === 0,
      wrong,
    };
    this.results.push(result);
    this.#say(
      `  ${whom}: ${fault.name} ${result.healed ? `healed after ${Math.round(result.healMs / 1000)} s` : `MISSED: ${wrong.join('; ')}`}`,
    );
  }

  /** Serving, with the change that the fault requires, and held to be well by the daemon, which is what ends the episode. */
  #healed({ fault, before }, vm) {
    const was = before.get(vm.id);
    return until(
      `${vm.id} healed of ${fault.name}`,
      HEAL_MS,
      async () => {
        this.#signal.throwIfAborted();
        const now = this.observer.of(vm);
        if (fault.requires === 'boot' && now?.bootId === was.bootId) throw new Error('no new boot');
        if (fault.requires === 'vmm' && now?.vmm.startTimeTicks === was.vmm.startTimeTicks)
          throw new Error('no new VMM');
        const others = [...this.#active].some(
          (one) => one.fault !== fault && one.victims.includes(vm) && one.victims.length === 1,
        );
        // A fault of its own is healed in its own time.
        if (others) return true;
        if (!(await this.serves(vm))) throw new Error('it does not serve');
        const ill = await this.#ill(vm);
        if (ill !== undefined) throw new Error(ill);
        return true;
      },
      500,
    );
  }

  /** Each change of a VM must be one that a fault which it has permits, and once. */
  #judge(vm, change) {
    for (const { fault, victims, changes } of this.#active) {
      if (!victims.includes(vm) || !permits(fault, change.kind)) continue;
      const seen = `${vm.id} ${change.kind}`;
      if (changes.has(seen)) continue;
      changes.add(seen);
      return;
    }
    const text = `${vm.id}: ${change.kind} (${change.text}) that no fault permits`;
    this.falseActs.push({ vm: vm.id, ...change, atMs: Date.now(), text });
    this.#say(`  FALSE ${text}`);
  }
}

/** A new VMM boots its guest anew. */
function permits(fault, kind) {
  return kind === 'boot' ? fault.permits !== 'nothing' : kind === 'vmm' && fault.permits === 'vmm';
}
