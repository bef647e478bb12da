// Within the network namespace: the world, the daemon, the faults, the verdict.
import { rmSync, writeFileSync } from 'node:fs';
import { allHealthy, daemonLog, endProcesses } from '../demo/world.mjs';
import { labAvailable } from '../lab/vm.mjs';
import { Play } from './play.mjs';
import { table } from './report.mjs';
import { createWorld, unmountDisks } from './world.mjs';

const BOOT_MS = 300_000;
const say = (line) => console.log(line);

const plan = JSON.parse(process.argv[2]);
const stopped = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'])
  process.once(name, () => stopped.abort(Object.assign(new Error(`ended by ${name}`), { final: true })));

const world = createWorld(labAvailable(), plan.vms);
const play = new Play(world, plan.seed, stopped.signal, say);
let problem;
try {
  say(`${plan.vms} VMs boot; ${plan.faults} faults of seed ${plan.seed}`);
  await allHealthy(world, play.daemon, stopped.signal, BOOT_MS);
  play.observe();
  await play.run(plan.faults, stopped.signal);
} catch (error) {
  problem = error.message;
  say(`chaos: ${problem}\n${daemonLog(world)}`);
}
await play.observer?.stop();

const missed = play.results.filter(({ healed }) => !healed);
const { falseActs, results } = play;
say(`\n${table(results)}\n`);
say(`${results.length} faults, ${missed.length} missed, ${falseActs.length} false`);
if (plan.json !== undefined)
  writeFileSync(
    plan.json,
    `${JSON.stringify({ ...plan, results, falseActs, problem: problem ?? null }, null, 2)}\n`,
  );
if (missed.length > 0 || falseActs.length > 0)
  say(`again: npm run chaos -- --vms ${plan.vms} --faults ${plan.faults} --seed ${plan.seed}`);
const isClean = await cleanUp();
const isWell = problem === undefined && results.length === plan.faults;
process.exitCode = isWell && isClean && missed.length + falseActs.length === 0 ? 0 : 1;

/** After the report, which nothing that fails here may hide. A step that fails keeps no other from being done. */
async function cleanUp() {
  const steps = [
    () => endProcesses(world, play.daemon),
    () => unmountDisks(world),
    () => rmSync(world.dir, { recursive: true }),
  ];
  let isDone = true;
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      isDone = false;
      say(`chaos: not cleaned up: ${error.message}; look for what is left in ${world.dir}`);
    }
  }
  return isDone;
}
