import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { ProbeEngine } from '../../src/engine/index.js';
import { livingState } from '../../src/hypervisors/process.js';
import { createDrivers } from '../../src/hypervisors/registry.js';
import type { Driver, VmmEvent, VmmSession } from '../../src/model/ports.js';
import type { HypervisorSpec, ProcessIdentity, VmSpec } from '../../src/model/vm.js';
import { WorkerPool } from '../../src/pool/index.js';
import { poll } from '../lab/poll.js';
import { testVm } from '../unit/qemu/fixtures.js';
import { type Subject, slowProgram, subjects } from './subjects.js';

const SOON = { deadlineMs: 20_000 };
const SHORT = { deadlineMs: 700 };
/** What a call may take beyond its deadline on a host that is busy. */
const SLACK_MS = 10_000;

const folder = mkdtempSync(join(tmpdir(), 'vmp-c-'));
const engine = new ProbeEngine();
const pool = new WorkerPool();
const options = {
  runDir: join(folder, 'run'),
  stateDir: join(folder, 'state'),
  lockDir: join(folder, 'lock'),
  searchPath: process.env.PATH ?? '',
};

afterAll(async () => {
  await engine.close();
  await pool.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A driver that knows nothing of what an earlier one did, as after a restart of the daemon. */
function newDriver(subject: Subject): Driver {
  return createDrivers({ ...options, engine, pool })[subject.driver];
}

/** One VM of a subject, ended at the end of the test. */
class Bench {
  readonly subject: Subject;
  readonly driver: Driver;
  readonly vm: VmSpec;

  constructor(subject: Subject, changes: Partial<HypervisorSpec> = {}) {
    this.subject = subject;
    this.driver = newDriver(subject);
    const name = `vm-${crypto.randomUUID().slice(0, 8)}`;
    const hypervisor = subject.spec(folder, changes);
    this.vm = {
      ...testVm({}, { id: `c/${name}`, namespace: 'c', name, uuid: crypto.randomUUID() }),
      hypervisor,
    };
  }

  get socket(): string {
    return join(options.runDir, 'vms/c', this.vm.name, this.subject.socket);
  }

  async start(driver = this.driver): Promise<ProcessIdentity> {
    const started = await driver.start(this.vm, SOON);
    onTestFinished(() => {
      if (livingState(started) !== undefined) process.kill(started.pid, 'SIGKILL');
    });
    return started;
  }

  async attach(process: ProcessIdentity, driver = this.driver): Promise<VmmSession> {
    const session = await driver.attach(this.vm, process, SOON);
    onTestFinished(() => session.detach());
    return session;
  }

  async run(): Promise<{ readonly started: ProcessIdentity; readonly session: VmmSession }> {
    const started = await this.start();
    const session = await this.attach(started);
    await untilStatus(session, 'running');
    return { started, session };
  }
}

async function untilStatus(session: VmmSession, status: string): Promise<void> {
  await poll(`status ${status}`, SOON.deadlineMs, async () => {
    const now = await session.status(SOON).catch(() => 'unknown');
    return now === status || undefined;
  });
}

function disk(name: string): HypervisorSpec['disks'][number] {
  const path = join(folder, name);
  writeFileSync(path, Buffer.alloc(1024 * 1024));
  return { name: 'data', path, format: 'raw', readOnly: false };
}

/** The beginning of a qcow2 image of 1 MiB that is laid over a raw file. */
function qcow2Over(backing: string): Buffer {
  const header = Buffer.alloc(0x50000);
  header.write('QFI\xfb', 'latin1');
  header.writeUInt32BE(3, 4);
  header.writeBigUInt64BE(512n, 8);
  header.writeUInt32BE(backing.length, 16);
  header.writeUInt32BE(16, 20);
  header.writeBigUInt64BE(1024n * 1024n, 24);
  header.writeUInt32BE(1, 36);
  header.writeBigUInt64BE(0x30000n, 40);
  header.writeBigUInt64BE(0x10000n, 48);
  header.writeUInt32BE(1, 56);
  header.writeUInt32BE(4, 96);
  header.writeUInt32BE(104, 100);
  header.write(backing, 512);
  // Every cluster of the header and its tables is used once.
  header.writeBigUInt64BE(0x20000n, 0x10000);
  for (let cluster = 0; cluster < 5; cluster++) header.writeUInt16BE(1, 0x20000 + 2 * cluster);
  return header;
}

/** Every command of a session. */
function commands(session: VmmSession, call: { readonly deadlineMs: number }): readonly Promise<unknown>[] {
  return [
    session.status(call),
    session.reset(call),
    session.reboot(call),
    session.pause(call),
    session.resume(call),
    session.exec(['/bin/true'], call),
  ];
}

describe.each(subjects(folder))('$name', (subject) => {
  beforeAll(async () => (subject.skip === undefined ? subject.prepare?.() : undefined));

  beforeEach((context) => {
    if (subject.skip !== undefined) context.skip(subject.skip);
  });

  it('lives: starts, pauses, resumes, resets, counts, is captured, stops', { timeout: 120_000 }, async () => {
    const bench = new Bench(subject);
    expect(await bench.driver.look(bench.vm, SOON)).toEqual({ running: false, leftovers: [] });
    await bench.driver.proveStart(bench.vm, SOON);
    const { started, session } = await bench.run();
    expect(await bench.driver.look(bench.vm, SOON)).toMatchObject({ running: true, process: started });
    expect(session.machineDigest).toBe(bench.vm.machineDigest);
    const events: VmmEvent[] = [];
    session.onEvent((event) => events.push(event));

    await session.pause(SOON);
    expect(await session.status(SOON)).toBe('paused');
    // Once more is no error: whoever asks wants it paused.
    await session.pause(SOON);
    await session.resume(SOON);
    expect(await session.status(SOON)).toBe('running');
    await session.resume(SOON);
    if (subject.tellsPauses) {
      const told = () => events.map(({ type }) => type);
      await expect
        .poll(told, { timeout: SOON.deadlineMs })
        .toEqual(expect.arrayContaining(['paused', 'resumed']));
    }

    expect(bench.driver.supports(bench.vm, 'reset')).toBe(subject.resets);
    if (subject.resets) {
      await session.reset(SOON);
      await expect
        .poll(() => events.filter(({ type }) => type === 'reset').length, { timeout: 20_000 })
        .toBe(1);
      expect(await session.status(SOON)).toBe('running');
    } else {
      await expect(session.reset(SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_UNSUPPORTED' });
    }
    expect(livingState(started)).toBeDefined();

    const counters = (await session.counters?.(SOON)) ?? [];
    expect(counters.map(({ name }) => name)).toContain('console');
    const evidence = await session.capture({ ...SOON, label: bench.vm.name });
    expect(evidence.status).toBe('running');
    expect(evidence.files.some((file) => file.endsWith('monitor.json') && existsSync(file))).toBe(true);

    await session.stop('graceful', { deadlineMs: 8_000 });
    expect(livingState(started)).toBeUndefined();
    expect(await bench.driver.look(bench.vm, SOON)).toEqual({ running: false, leftovers: [] });
  });

  it('ends at once when its guest heeds the request to stop', async (context) => {
    if (!subject.heeds) context.skip('its guest here heeds nothing');
    const { started, session } = await new Bench(subject).run();
    const begun = performance.now();
    await session.stop('graceful', { deadlineMs: 60_000 });
    expect(livingState(started)).toBeUndefined();
    // Far from the forty-five seconds that the guest would have had.
    expect(performance.now() - begun).toBeLessThan(30_000);
  });

  it('is stopped while it is paused', { timeout: 60_000 }, async () => {
    const bench = new Bench(subject);
    const { started, session } = await bench.run();
    await session.pause(SOON);
    await session.stop('graceful', { deadlineMs: 6_000 });
    expect(livingState(started)).toBeUndefined();
    expect(await bench.driver.look(bench.vm, SOON)).toMatchObject({ running: false });
  });

  it('wedged: every call ends at its deadline, force ends it, SIGCONT brings it back', {
    timeout: 90_000,
  }, async () => {
    const bench = new Bench(subject);
    const { started, session } = await bench.run();
    process.kill(started.pid, 'SIGSTOP');
    await expect.poll(() => livingState(started)).toBe('T');
    const begun = performance.now();
    for (const result of await Promise.allSettled(commands(session, SHORT)))
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { code: expect.stringMatching(/^ERR_VMPULSE_/) },
      });
    expect(await session.capture({ ...SHORT, label: 'wedged' })).toMatchObject({ status: 'unknown' });
    expect(performance.now() - begun).toBeLessThan(7 * SHORT.deadlineMs + SLACK_MS);

    await session.continueProcess(SOON);
    expect(livingState(started)).not.toBe('T');
    // What was asked while it hung may come true now.
    await poll('it runs again', SOON.deadlineMs, async () => {
      await session.resume({ deadlineMs: 2_000 }).catch(() => {});
      const status = await session.status({ deadlineMs: 2_000 }).catch(() => 'unknown');
      return status === 'running' || undefined;
    });
    process.kill(started.pid, 'SIGSTOP');
    await session.stop('force', SOON);
    expect(livingState(started)).toBeUndefined();
  });

  it('held by others: says so within the deadline, and serves when they let go', {
    timeout: 60_000,
  }, async () => {
    const bench = new Bench(subject);
    const started = await bench.start();
    const release = await subject.hold(bench.socket);
    const session = await bench.attach(started);
    const events: VmmEvent[] = [];
    session.onEvent((event) => events.push(event));
    await expect(session.status(SHORT)).rejects.toMatchObject({
      code: expect.stringMatching(/CHANNEL|TIMEOUT/),
    });
    await expect
      .poll(() => events.some((event) => event.type === 'monitor' && event.state === 'busy'), {
        timeout: 20_000,
      })
      .toBe(true);
    release();
    await untilStatus(session, 'running');
  });

  it('an answer that is lost: looks whether it was done', async (context) => {
    if (subject.loseAnswer === undefined) context.skip('the end of an answer cannot be caused here');
    const bench = new Bench(subject);
    const { session, started } = await bench.run();
    await subject.loseAnswer?.(bench.socket);
    await session.reset(SOON);
    expect(await session.status(SOON)).toBe('running');
    expect(livingState(started)).toBeDefined();
  });

  it('a wrong state: names it, and a reset mends it', async (context) => {
    if (subject.misreport === undefined) context.skip('a wrong state cannot be caused here');
    const bench = new Bench(subject);
    const { session } = await bench.run();
    await subject.misreport?.(bench.socket);
    expect(await session.status(SOON)).toBe('shutdown');
    await session.reset(SOON);
    expect(await session.status(SOON)).toBe('running');
  });

  it('vanishes: calls say so, and it is started again over what it left', { timeout: 60_000 }, async () => {
    const bench = new Bench(subject);
    const { started, session } = await bench.run();
    process.kill(started.pid, 'SIGKILL');
    await expect.poll(() => livingState(started), { timeout: 10_000 }).toBeUndefined();
    await expect(session.status(SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_VM_NOT_RUNNING' });
    await session.stop('graceful', SOON);
    const look = await bench.driver.look(bench.vm, SOON);
    expect(look).toMatchObject({ running: false, leftovers: expect.arrayContaining([bench.socket]) });
    await session.detach();
    const again = await bench.run();
    expect(again.started.pid).not.toBe(started.pid);
  });

  it('starts where a file lies in place of its socket', async () => {
    const bench = new Bench(subject);
    mkdirSync(dirname(bench.socket), { recursive: true });
    writeFileSync(bench.socket, 'stale');
    const { session } = await bench.run();
    expect(await session.status(SOON)).toBe('running');
  });

  it('boots slowly: the start waits, or fails at its deadline and leaves nothing', {
    timeout: 60_000,
  }, async () => {
    const { binary } = subject.spec(folder, {}) as { readonly binary: string };
    const patient = new Bench(subject, { binary: slowProgram(folder, binary, 2) });
    const { session } = await patient.run();
    expect(await session.status(SOON)).toBe('running');
    const hurried = new Bench(subject, { binary: slowProgram(folder, binary, 30) });
    await expect(hurried.driver.start(hurried.vm, { deadlineMs: 4_000 })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_START_FAILED',
    });
    expect(await hurried.driver.look(hurried.vm, SOON)).toEqual({ running: false, leftovers: [] });
  });

  it('does not start what its program refuses, and says what it said', async () => {
    const image = join(folder, 'no-kernel');
    writeFileSync(image, 'this is no kernel');
    const bench = new Bench(subject, { kernel: { image, append: '' }, extraArgs: ['--no-such-option'] });
    await expect(bench.driver.start(bench.vm, SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_START_FAILED',
      message: expect.stringMatching(subject.refusal ?? /ended with status \d+; its log says/),
    });
    expect(await bench.driver.look(bench.vm, SOON)).toMatchObject({ running: false });
  });

  it('takes concurrent commands', { timeout: 60_000 }, async () => {
    const { session } = await new Bench(subject).run();
    const calls = Array.from({ length: 8 }, (_, i) => [
      session.status(SOON),
      i % 2 === 0 ? session.pause(SOON) : session.resume(SOON),
    ]).flat();
    const results = await Promise.allSettled(calls);
    // A resume may find that the next pause came first; no call hangs, and the statuses are all told.
    expect(results.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThanOrEqual(8);
    await session.resume(SOON);
    expect(await session.status(SOON)).toBe('running');
  });

  it('is started once, whoever asks', async () => {
    const bench = new Bench(subject);
    const attempts = await Promise.allSettled([bench.start(), bench.start(newDriver(subject))]);
    const [won, ...others] = attempts.toSorted((a, b) => (a.status < b.status ? -1 : 1));
    expect(won).toMatchObject({ status: 'fulfilled' });
    expect(others).toMatchObject([{ reason: { code: expect.stringMatching(/LOCKED|VM_RUNNING/) } }]);
    await expect(bench.driver.start(bench.vm, SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_VM_RUNNING',
    });
  });

  it('is found by a later driver, which takes it over', async () => {
    const bench = new Bench(subject);
    const { started, session } = await bench.run();
    await session.detach();
    await expect(session.status(SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_CLOSED' });
    const later = await bench.attach(started, newDriver(subject));
    expect(later).toMatchObject({ process: started, machineDigest: bench.vm.machineDigest });
    await untilStatus(later, 'running');
  });

  it('takes no header that a guest wrote over its raw disk for an image', async () => {
    const data = disk(`${crypto.randomUUID()}.img`);
    writeFileSync(data.path, qcow2Over('/etc/passwd'));
    truncateSync(data.path, 1024 * 1024);
    const bench = new Bench(subject, { disks: [data] });
    if (subject.driver === 'cloud-hypervisor') {
      await expect(bench.driver.proveStart(bench.vm, SOON)).rejects.toMatchObject({
        code: 'ERR_VMPULSE_START_IMPOSSIBLE',
        message: expect.stringContaining('is to be raw, and its content is qcow2'),
      });
      return;
    }
    const { started } = await bench.run();
    const files = readdirSync(`/proc/${started.pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${started.pid}/fd/${fd}`);
      } catch {
        return '';
      }
    });
    expect(files).not.toContain('/etc/passwd');
    if (subject.holdsDisks) expect(files).toContain(data.path);
  });

  it('gets no disk that another VM or process writes', { timeout: 60_000 }, async () => {
    const first = new Bench(subject, { disks: [disk(`${crypto.randomUUID()}.img`)] });
    const { disks } = first.vm.hypervisor;
    const { started, session } = await first.run();
    if (subject.holdsDisks) {
      const counted = ((await session.counters?.(SOON)) ?? []).map(({ name }) => name);
      expect(counted).toContainEqual(expect.stringMatching(/^disks?\b/));
      subject.countsTruly?.(first.socket);
    }
    const second = new Bench(subject, { disks });
    await expect(second.driver.start(second.vm, SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_DISK_IN_USE',
      message: expect.stringContaining(`process ${started.pid} `),
    });
    // Its own disk does not stand against its own replacement.
    await first.driver.proveStart(first.vm, SOON);
    const other = new Bench(subject, { disks: [disk('taken.img')] });
    const fd = openSync(join(folder, 'taken.img'), 'r+');
    onTestFinished(() => closeSync(fd));
    await expect(other.driver.proveStart(other.vm, SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_DISK_IN_USE',
    });
  });
});
