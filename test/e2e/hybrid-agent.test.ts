import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { ProbeEngine } from '../../src/engine/index.js';
import { livingState } from '../../src/hypervisors/process.js';
import { createDrivers } from '../../src/hypervisors/registry.js';
import type { VmmEvent, VmmSession } from '../../src/model/ports.js';
import type { HypervisorSpec } from '../../src/model/vm.js';
import { WorkerPool } from '../../src/pool/index.js';
import { giveOrder } from '../fakes/programs/build.js';
import { needsGuestAgent } from '../lab/availability.js';
import { poll } from '../lab/poll.js';
import { bootLabVm, killLabVms } from '../lab/vm.js';
import { testVm } from '../unit/qemu/fixtures.js';
import { type Subject, subjects } from './subjects.js';
import { MINUTE } from './world.js';

const SOON = { deadlineMs: 20_000 };

const folder = mkdtempSync(join(tmpdir(), 'vmp-h-'));
const engine = new ProbeEngine();
const pool = new WorkerPool();
const fakes = subjects(folder).filter(({ name }) => name.includes('fake'));

afterAll(async () => {
  await engine.close();
  await pool.close();
  rmSync(folder, { recursive: true, force: true });
}, MINUTE);

/** An agent that does what the test says when it is told to end its guest; `silent`: it never answers that. */
async function agentThat(ends: (mode: string) => void, silent = false): Promise<string> {
  const path = join(folder, `${crypto.randomUUID().slice(0, 8)}.agent`);
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      for (const line of bytes.toString('latin1').split('\n')) {
        const sync = /"guest-sync-delimited".*"id":(\d+)/.exec(line)?.[1];
        const mode = /"guest-shutdown".*"mode":"([a-z]+)"/.exec(line)?.[1];
        if (mode !== undefined) ends(mode);
        if (mode !== undefined && silent) continue;
        if (sync !== undefined) socket.write(`\u00ff{"return": ${sync}}\n`, 'latin1');
        else if (line.includes('"execute"')) socket.write('{"return": {}}\n');
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => void server.close());
  return path;
}

/** A running VM of the subject whose agent answers at that socket, and the socket of its API. */
async function run(
  subject: Subject,
  agent: string,
  guest = 'deaf',
): Promise<{ session: VmmSession; api: string }> {
  const options = {
    runDir: join(folder, 'run'),
    stateDir: join(folder, 'state'),
    lockDir: join(folder, 'lock'),
    searchPath: process.env.PATH ?? '',
  };
  const driver = createDrivers({ ...options, engine, pool })[subject.driver];
  const { kernel, ...rest } = subject.spec(folder, {}) as HypervisorSpec & {
    readonly kernel: { readonly image: string };
  };
  // Deaf to power button and Ctrl-Alt-Del: what is done, its agent does.
  const hypervisor = {
    ...rest,
    kernel: { image: kernel.image, append: `${guest} agent=${agent}` },
    vsockCid: 3,
    guestAgent: true,
  };
  const name = `vm-${crypto.randomUUID().slice(0, 8)}`;
  const vm = {
    ...testVm({}, { id: `h/${name}`, namespace: 'h', name, uuid: crypto.randomUUID() }),
    hypervisor,
  };
  const started = await driver.start(vm, SOON);
  onTestFinished(() => {
    if (livingState(started) !== undefined) process.kill(started.pid, 'SIGKILL');
  });
  const session: VmmSession = await driver.attach(vm, started, SOON);
  onTestFinished(() => session.detach());
  await poll('its agent', SOON.deadlineMs, () => session.agent?.connected || undefined);
  expect(driver.supports(vm, 'reboot')).toBe(subject.resets);
  return { session, api: join(options.runDir, 'vms/h', name, subject.socket) };
}

describe.each(fakes)('$name with an agent in its guest', (subject) => {
  it('is rebooted in order, or stopped, by it', { timeout: 2 * MINUTE }, async (context) => {
    if (subject.skip !== undefined) context.skip(subject.skip);
    let api = '';
    const told: string[] = [];
    const agent = await agentThat((mode) => {
      told.push(mode);
      void giveOrder(api, { does: subject.resets ? 'reboot' : 'power-off' });
    });
    const { session, api: path } = await run(subject, agent);
    api = path;
    const events: VmmEvent[] = [];
    session.onEvent((event) => events.push(event));
    if (subject.resets) {
      await session.reboot(SOON);
      expect(events.filter(({ type }) => type === 'reset')).toMatchObject([{ guest: true }]);
      expect(livingState(session.process)).toBeDefined();
    } else {
      await expect(session.reboot(SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_UNSUPPORTED' });
      await session.stop('graceful', { deadlineMs: MINUTE });
      expect(livingState(session.process)).toBeUndefined();
      await expect
        .poll(() => events, { timeout: SOON.deadlineMs })
        .toContainEqual({ type: 'shutdown', guest: true, reason: 'guest-shutdown' });
    }
    expect(told).toEqual(['reboot']);
  });
});

describe('Firecracker whose agent is silent', () => {
  const [subject] = fakes.filter(({ driver }) => driver === 'firecracker');

  it('is stopped by Ctrl-Alt-Del', { timeout: 2 * MINUTE }, async (context) => {
    if (subject === undefined || subject.skip !== undefined) return context.skip(subject?.skip);
    const told: string[] = [];
    const agent = await agentThat((mode) => told.push(mode), true);
    const { session } = await run(subject, agent, 'heeds');
    const events: VmmEvent[] = [];
    session.onEvent((event) => events.push(event));
    await session.stop('graceful', { deadlineMs: MINUTE });
    expect(livingState(session.process)).toBeUndefined();
    expect(told).toEqual(['reboot']);
    // By its guest, and not by SIGTERM or SIGKILL.
    await expect
      .poll(() => events, { timeout: SOON.deadlineMs })
      .toContainEqual({ type: 'shutdown', guest: true, reason: 'guest-shutdown' });
  });
});

describe.each(fakes)('$name before the real agent in a Linux guest', (subject) => {
  it('is asked through the vsock socket', { timeout: 3 * MINUTE }, async (context) => {
    if (subject.skip !== undefined) context.skip(subject.skip);
    needsGuestAgent(context);
    const name = `real-${crypto.randomUUID().slice(0, 8)}`;
    const exec = '[exec]\nenabled = true\nallow = [["/bin/uname", "-s"]]\n';
    const linux = await bootLabVm({ name, dir: folder, agentConfig: exec });
    onTestFinished(() => killLabVms());
    await linux.waitReady();
    const { session } = await run(subject, linux.agentPath);
    expect(await session.exec(['/bin/uname', '-s'], SOON)).toEqual({
      exitCode: 0,
      stdout: 'Linux\n',
      stderr: '',
    });
    await expect(session.exec(['/bin/false'], SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_COMMAND' });
    expect(await session.resources?.(SOON)).toMatchObject({ source: 'vmpulse-agent' });
    expect((await session.addresses?.(SOON))?.map(({ ip }) => ip)).toContain('10.0.2.15');
  });
});
