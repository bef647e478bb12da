// The demonstration: three real QEMU VMs under a real daemon. `npm start` shows them live until Ctrl-C;
// `npm start -- --script` makes five faults by itself and ends with a table.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { CLI } from './cli.mjs';
import { table } from './report.mjs';
import { allHealthy, createWorld, daemonLog, destroyWorld, startDaemon } from './world.mjs';

const INJECTOR = fileURLToPath(new URL('./injector.mjs', import.meta.url));
const FAULT_COUNT = 5;

/** Runs the injector and returns its results; other lines are told as they come. */
async function playFaults(world, seed, say, signal) {
  const child = spawn(process.execPath, [INJECTOR, join(world.dir, 'world.json'), String(seed)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  signal.addEventListener('abort', () => child.kill('SIGTERM'), { once: true });
  const results = [];
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text);
    if (line.event === 'injected') say(`  ${line.vm}: ${line.fault} …`);
    if (line.event === 'healed')
      say(
        `  ${line.vm}: serving again after ${(line.healMs / 1000).toFixed(1)} s, waiting until it is stable`,
      );
    if (line.event === 'result') {
      results.push(line);
      say(
        `  ${line.vm}: ${line.healed ? `healed: ${line.diagnosis}, ${line.remedy}` : `NOT healed: ${line.wrong.join('; ')}`}`,
      );
    }
  }
  return results;
}

/** Shows `vmpulse status --watch` until Ctrl-C or until the daemon ends. */
function showLive(world, daemon, signal) {
  return new Promise((resolve) => {
    const watch = spawn(process.execPath, [CLI, 'status', '--watch', '--socket', world.socket], {
      stdio: 'inherit',
    });
    const stop = () => watch.kill('SIGTERM');
    signal.addEventListener('abort', stop, { once: true });
    daemon.once('exit', stop);
    watch.once('exit', resolve);
  });
}

/**
 * Plays the demonstration; resolves with the exit status. `lab` has the paths of the image, `script` plays the faults.
 */
export async function demonstrate({ lab, script, seed, json, say = console.log }) {
  const world = await createWorld(lab);
  const daemon = startDaemon(world);
  const stopped = new AbortController();
  const stop = () => stopped.abort(new Error('stopped by signal'));
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  let passed = true;
  try {
    say(`Three VMs boot under the daemon (socket ${world.socket}).`);
    await allHealthy(world, daemon, stopped.signal);
    say('All three are healthy.');
    if (script) {
      say(`Faults, drawn from seed ${seed}:`);
      const results = await playFaults(world, seed, say, stopped.signal);
      say(`\n${table(results)}\n`);
      if (json !== undefined) writeFileSync(json, `${JSON.stringify({ seed, results }, null, 2)}\n`);
      passed = results.length === FAULT_COUNT && results.every((result) => result.healed);
      say(passed ? 'Five of five healed; no other VM was touched.' : 'Not all faults were healed.');
    } else {
      say(
        `Try, in another terminal:\n  ${world.vms.map((vm) => `curl '${vm.url}/cgi-bin/fault?do=panic'`)[0]}\n  node dist/cli/main.js explain web-1 --socket ${world.socket}`,
      );
      await showLive(world, daemon, stopped.signal);
    }
  } catch (error) {
    passed = false;
    say(`The demonstration failed: ${error.message}\nThe daemon's last words:\n${daemonLog(world)}`);
  } finally {
    await destroyWorld(world, daemon);
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
  return passed ? 0 : 1;
}
