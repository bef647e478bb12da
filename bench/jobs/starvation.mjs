// An engine that is starved of its core among silent and healthy targets: it must blame none of the healthy ones, and
// must still find the silent ones once it has the core again.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ProbeEngine } from '../../dist/engine/index.js';
import { startResponder } from '../responder.mjs';
import { targetOf } from '../targets.mjs';

const PERIOD_MS = 1000;
const STARVED_MS = 1500;
const SETTLE_MS = 200;
/** More than fit into the silent port's queue of one. */
const QUEUE = 4;

/** One target in ten is silent; the engine is stopped so many `times`. Resolves with how many were judged wrongly. */
export async function starvation({ targets, times }) {
  const { port, stop } = await startResponder();
  const silent = await silentPort();
  const engine = new ProbeEngine({ engine: 'native' });
  const isSilent = (n) => n % 10 === 0;
  const failed = new Set();
  try {
    const list = Array.from({ length: targets }, (_, n) => {
      const target = targetOf(n, 'tcp', isSilent(n) ? silent.port : port, PERIOD_MS);
      return { ...target, timing: { ...target.timing, failureThreshold: 1 } };
    });
    const handles = engine.add(list);
    const place = new Map([...handles].map((handle, n) => [handle, n]));
    const events = (async () => {
      for await (const batch of engine.transitions()) {
        for (const event of batch) if (event.to === 'failed') failed.add(place.get(event.handle));
      }
    })();
    for (let time = 0; time < times; time++) {
      await stopAwhile();
      await sleep(PERIOD_MS / 2);
    }
    await sleep(2 * PERIOD_MS);
    await engine.close();
    await events;
    const healthyFailed = [...failed].filter((n) => !isSilent(n)).length;
    const silentFound = [...failed].filter(isSilent).length;
    return { healthyFailed, silentMissed: Math.ceil(targets / 10) - silentFound };
  } finally {
    await engine.close();
    silent.stop();
    await stop();
  }
}

/** This whole process gets no processor for a while. */
async function stopAwhile() {
  const script = `kill -STOP ${process.pid}; sleep ${STARVED_MS / 1000}; kill -CONT ${process.pid}`;
  await once(spawn('sh', ['-c', script], { stdio: 'ignore' }), 'exit');
}

/** A port on which the kernel drops every SYN: its queue is full, and who should accept is stopped. */
async function silentPort() {
  const server = fileURLToPath(new URL('../processes/silent.mjs', import.meta.url));
  const child = spawn(process.execPath, [server], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const [port] = await once(child, 'message');
  child.kill('SIGSTOP');
  const queued = Array.from({ length: QUEUE }, () =>
    connect({ port, host: '127.0.0.1' }).on('error', () => {}),
  );
  await sleep(SETTLE_MS);
  const stop = () => {
    for (const socket of queued) socket.destroy();
    child.kill('SIGKILL');
  };
  return { port, stop };
}
