import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import type { ProbeEngine } from '../../../src/engine/index.js';
import type { TargetCheck } from '../../../src/engine/probe-engine.js';
import type { HttpGetOptions } from '../../../src/model/probe.js';
import { testFolder } from '../../fixtures/folder.js';
import { Events, eventually, openEngine, target, tcpCheck, tcpServer, within } from './support.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const BUILT = `${ROOT}/target/debug/libvmpulse_engine_binding.so`;
const ADDON = `${ROOT}/target/engine-fault.node`;
const noCargo = spawnSync('cargo', ['--version']).error !== undefined;

// A panic cannot be caused in what is shipped: an addon is built in which targets named panic-… cause one.
beforeAll(() => {
  if (noCargo) return;
  const args = ['build', '-p', 'vmpulse-engine-binding', '--features', 'fault', '--locked'];
  const built = spawnSync('cargo', args, { cwd: ROOT, encoding: 'utf8' });
  if (built.status !== 0 || !existsSync(BUILT)) throw new Error(`cargo ${args.join(' ')}: ${built.stderr}`);
  copyFileSync(BUILT, ADDON);
}, 600_000);

function open(threads = 1): ProbeEngine {
  return openEngine({ addonPath: ADDON, threads });
}

it('a panic of a reactor ends calls with a code and harms no other target', async (context) => {
  if (noCargo) context.skip('cargo is not installed');
  const { port } = await tcpServer();
  const engine = open();
  const events = new Events(engine);
  const channel = engine.openChannel({ protocol: 'qmp', path: `${testFolder()}/nobody` });
  const [well = 0] = engine.add([target('well', tcpCheck(port))]);
  await events.until(well, 'ok');
  const http: HttpGetOptions = { scheme: 'http', port, path: '/', headers: [] };
  const unanswered: TargetCheck = { kind: 'httpGet', endpoint: { ip: '127.0.0.1', port }, http };
  const call = engine.probeOnce(unanswered, { timeoutMs: 60_000 });
  const ended = expect(within(call, 'the call')).rejects.toMatchObject({ code: 'ERR_VMPULSE_INTERNAL' });
  await eventually(() => engine.stats().inFlight >= 1, 'the call to run');

  const [bad = 0] = engine.add([target('panic-1', tcpCheck(port))]);
  expect(await events.until(bad, 'blind')).toMatchObject({ reason: 'prober-fault' });
  await ended;
  expect(engine.stats()).toMatchObject({ reactorPanics: 1, reactorsDown: 0 });
  const probes = engine.stats().probesStarted;
  await eventually(() => engine.stats().probesStarted > probes + 3, 'probes after the panic');
  expect(engine.status(well).state).toBe('ok');
  expect((await engine.probeOnce(tcpCheck(port), { timeoutMs: 5000 })).outcome).toEqual({ result: 'ok' });
  channel.close();
});

it('a reactor that panics again and again stays down, and the process goes on', async (context) => {
  if (noCargo) context.skip('cargo is not installed');
  const { port } = await tcpServer();
  const engine = open();
  const events = new Events(engine);
  const [well = 0] = engine.add([target('well', tcpCheck(port))]);
  await events.until(well, 'ok');
  engine.add(Array.from({ length: 40 }, (_, n) => target(`panic-${n}`, tcpCheck(port))));
  expect(await events.until(well, 'blind')).toMatchObject({ reason: 'prober-fault' });
  expect(engine.stats()).toMatchObject({ reactorPanics: 33, reactorsDown: 1 });
  const refused = expect.objectContaining({ code: 'ERR_VMPULSE_INTERNAL' });
  expect(() => engine.add([target('more', tcpCheck(port))])).toThrow(refused);
  await expect(within(engine.probeNow(well), 'the refusal')).rejects.toEqual(refused);
  // What was stored before is better than nothing.
  await expect(within(engine.snapshot(), 'the refusal')).rejects.toEqual(refused);
  await within(engine.close(), 'the end');
});
