// A process of its own: makes one fault after another and judges what came of it. It shares nothing with the daemon:
// it asks the guests over HTTP, looks at processes in /proc, and reads the diagnosis from `vmpulse explain --json`.
import { readFileSync } from 'node:fs';
import { vmpulse } from './cli.mjs';
import { FAULTS } from './faults.mjs';
import { processIdentity } from './processes.mjs';
import { random, shuffle } from './seed.mjs';
import { until } from './wait.mjs';

const TAKE_DEADLINE_MS = 30_000;
const HEAL_DEADLINE_MS = 90_000;
const CONFIRM_DEADLINE_MS = 60_000;

const world = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const next = random(Number(process.argv[3]));

const emit = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** What tells one boot and one VMM from the next, as seen from outside the daemon. */
async function look(vm) {
  const status = await vmpulse(world, 'status', vm.id);
  const response = await fetch(`${vm.url}/cgi-bin/bootid`, { signal: AbortSignal.timeout(3000) });
  if (response.status !== 200) throw new Error(`HTTP ${response.status}`);
  const { bootId } = await response.json();
  if (status.vmm === null) throw new Error(`${vm.id} has no VMM`);
  const seen = processIdentity(status.vmm.pid);
  if (seen?.startTimeTicks !== status.vmm.startTimeTicks)
    throw new Error(`${vm.id}: the VMM that status names is not there`);
  return { ...vm, bootId, vmm: status.vmm, health: status.health };
}

const lookAll = () => Promise.all(world.vms.map(look));

/** Every VM healthy, its last episode closed: the state from which a fault is judged alone. */
async function baseline(what) {
  return until(what, 120_000, async () => {
    const all = await lookAll();
    const explained = await Promise.all(world.vms.map((vm) => vmpulse(world, 'explain', vm.id)));
    return all.every((vm) => vm.health === 'healthy') && explained.every((e) => e.episode === null)
      ? all
      : undefined;
  });
}

/** Serving again with the boot that the remedy implies, by a request of our own. */
async function healed(fault, before) {
  return until(`${before.id} healed after: ${fault.name}`, HEAL_DEADLINE_MS, async () => {
    const now = await look(before);
    const expected = fault.newBoot ? now.bootId !== before.bootId : now.bootId === before.bootId;
    return expected ? now : undefined;
  });
}

/** The episode that began after the fault, once vmpulse itself holds the VM to be stable. */
async function closedEpisode(vm, injectedAtMs) {
  return until(`${vm.id}: episode closed`, CONFIRM_DEADLINE_MS, async () => {
    const explanation = await vmpulse(world, 'explain', vm.id);
    if (explanation.episode !== null) return undefined;
    return explanation.pastEpisodes.find((episode) => episode.diagnosedAtMs >= injectedAtMs);
  });
}

/** What is not as it should be; empty when all is. */
function verdict(fault, before, after, episode, others) {
  const wrong = [];
  const say = (ok, text) => ok || wrong.push(text);
  const steps = episode.attempts.map((attempt) => attempt.step);
  say(
    episode.diagnosis.kind === fault.diagnosis,
    `diagnosed as ${episode.diagnosis.kind}, not ${fault.diagnosis}`,
  );
  say(episode.diagnosis.cause === fault.cause, `cause ${episode.diagnosis.cause}, not ${fault.cause}`);
  say(
    steps.length === 1 && steps[0] === fault.remedy,
    `remedies ${steps.join(', ') || 'none'}, not ${fault.remedy}`,
  );
  say(episode.outcome === 'recovered', `episode ended as ${episode.outcome}`);
  say(
    (after.bootId !== before.bootId) === fault.newBoot,
    `boot_id ${fault.newBoot ? 'did not change' : 'changed'}`,
  );
  const newVmm = after.vmm.startTimeTicks !== before.vmm.startTimeTicks || after.vmm.pid !== before.vmm.pid;
  say(newVmm === fault.newVmm, `the VMM ${fault.newVmm ? 'is the same process' : 'is another process'}`);
  for (const { was, is } of others) {
    say(
      was.bootId === is.bootId && was.vmm.startTimeTicks === is.vmm.startTimeTicks,
      `${was.id} was touched`,
    );
  }
  return wrong;
}

async function play(fault, victimId) {
  const before = await baseline('all VMs healthy before the fault');
  const victim = before.find((vm) => vm.id === victimId);
  const injectedAtMs = Date.now();
  emit({ event: 'injected', fault: fault.name, vm: victimId, atMs: injectedAtMs });
  await fault.inject(victim);
  await until(
    `${fault.name} on ${victim.id}`,
    TAKE_DEADLINE_MS,
    async () => ((await fault.took(victim)) ? true : undefined),
    20,
  );
  const after = await healed(fault, victim);
  const healMs = Date.now() - injectedAtMs;
  emit({ event: 'healed', fault: fault.name, vm: victimId, healMs });
  const episode = await closedEpisode(victim, injectedAtMs);
  const afterAll = await lookAll();
  const others = before
    .filter((vm) => vm.id !== victimId)
    .map((was) => ({ was, is: afterAll.find((vm) => vm.id === was.id) }));
  const wrong = verdict(fault, victim, after, episode, others);
  emit({
    event: 'result',
    fault: fault.name,
    vm: victimId,
    diagnosis: `${episode.diagnosis.kind} (${episode.diagnosis.cause})`,
    remedy: episode.attempts.map((attempt) => attempt.step).join(' → '),
    detectMs: episode.diagnosedAtMs - injectedAtMs,
    healMs,
    healed: wrong.length === 0,
    wrong,
  });
}

for (const fault of shuffle(FAULTS, next)) {
  const victim = world.vms[Math.floor(next() * world.vms.length)];
  try {
    await play(fault, victim.id);
  } catch (error) {
    emit({
      event: 'result',
      fault: fault.name,
      vm: victim.id,
      diagnosis: '',
      remedy: '',
      detectMs: null,
      healMs: null,
      healed: false,
      wrong: [error.message],
    });
  }
}
emit({ event: 'end' });
