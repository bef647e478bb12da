import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { identify, livingState, readProcStat } from '../../../src/hypervisors/process.js';
import type { QemuVm } from '../../../src/hypervisors/qemu/qemu-vm.js';
import { qemuMark, qemuPaths } from '../../../src/hypervisors/qemu/qemu-vm.js';
import { findVmm, leftoversOf } from '../../../src/hypervisors/vmm/find-vmm.js';
import { ProcScanner } from '../../../src/hypervisors/vmm/proc-scan/proc-scanner.js';
import { newRecord, readRecord, writeRecord } from '../../../src/hypervisors/vmm/record.js';
import { Deadline } from '../../../src/model/deadline.js';
import { differingPaths, machineOf } from '../../../src/model/machine.js';
import { testFolder } from '../../fixtures/folder.js';
import { testHost, testVm } from './fixtures.js';
import { end, standIn } from './processes.js';

/** Of this run alone: the scan sees every process of the host. */
const UUID = crypto.randomUUID();
const scanner = new ProcScanner(testHost());

function ownVm() {
  const vm = testVm({}, { uuid: UUID });
  const paths = qemuPaths(testFolder(), vm);
  mkdirSync(paths.folder, { recursive: true });
  return {
    vm,
    paths,
    find: (other: QemuVm = vm) =>
      findVmm(other, qemuMark(other), paths, scanner, new Deadline('find', { deadlineMs: 10_000 })),
  };
}

describe('the VMM of a VM that vmpulse starts', () => {
  it('is not there', async () => {
    const { find, paths } = ownVm();
    expect(await find()).toBeUndefined();
    writeFileSync(paths.monitorSocket, '');
    expect(await leftoversOf(paths)).toEqual([paths.monitorSocket]);
  });

  it('is found by its UUID though the record is lost', async () => {
    const { find } = ownVm();
    const vmm = await standIn(['-uuid', UUID.toUpperCase()]);
    const found = await find();
    expect(found).toMatchObject({ pid: vmm.pid, startTimeTicks: vmm.startTimeTicks });
    expect(found?.machineDigest).toBeUndefined();
    expect(Math.abs((found?.startedAtMs ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  it('has what its record adds', async () => {
    const { find, paths, vm } = ownVm();
    const vmm = await standIn(['-uuid', UUID]);
    const argv = (await find())?.argv ?? [];
    await writeRecord(paths.record, newRecord(vmm, argv, vm, 1234, '-name'));
    expect(await find()).toMatchObject({ pid: vmm.pid, machineDigest: 'digest-1', startedAtMs: 1234 });
    expect(differingPaths((await find())?.machine, machineOf(vm))).toEqual([]);
    await writeRecord(paths.record, { ...newRecord(vmm, argv, vm, 1234, '-name'), machine: undefined });
    expect(await find(), 'a record of before the machine was kept').toMatchObject({
      machineDigest: 'digest-1',
    });
    await writeRecord(paths.record, newRecord(vmm, [...argv, '-other'], vm, 1234, '-name'));
    expect((await find())?.machineDigest).toBeUndefined();
  });

  it('is not another process that has its PID now', async () => {
    const { find, paths, vm } = ownVm();
    const other = await standIn(['some', 'thing']);
    await writeRecord(
      paths.record,
      newRecord({ ...other, startTimeTicks: other.startTimeTicks - 1 }, [], vm, 1, '-name'),
    );
    expect(await find()).toBeUndefined();
    // Not even with the right start time: its command line is not this VM's.
    await writeRecord(paths.record, newRecord(other, [], vm, 1, '-name'));
    expect(await find()).toBeUndefined();
  });

  it('is not a process whose record is of another boot of the host, or damaged', async () => {
    const { paths, vm } = ownVm();
    const record = newRecord({ pid: 1, startTimeTicks: 1 }, [], vm, 1, '-name');
    await writeRecord(paths.record, { ...record, hostBootId: 'another' });
    expect(await readRecord(paths.record)).toBeUndefined();
    writeFileSync(paths.record, '{"pid": 1');
    expect(await readRecord(paths.record)).toBeUndefined();
    writeFileSync(paths.record, '{"pid": -1}');
    expect(await readRecord(paths.record)).toBeUndefined();
  });

  it('is not a process that only mentions the UUID', async () => {
    const { find } = ownVm();
    await standIn(['-name', UUID]);
    await standIn([`-uuid ${UUID}`]);
    expect(await find()).toBeUndefined();
  });

  it('is ambiguous when there are two', async () => {
    const { find } = ownVm();
    const first = await standIn(['-uuid', UUID]);
    const second = await standIn(['-uuid', UUID]);
    await expect(find()).rejects.toMatchObject({
      code: 'ERR_VMPULSE_IDENTITY',
      message: expect.stringContaining(`${Math.min(first.pid, second.pid)}`),
    });
    await end(second);
    expect(await find()).toMatchObject({ pid: first.pid });
  });
});

describe('the VMM of an adopted VM', () => {
  const listen = (path: string) => `require('net').createServer().listen(${JSON.stringify(path)})`;

  it('is who listens on its monitor', async () => {
    const { find } = ownVm();
    const qmpSocket = join(testFolder(), 'q.sock');
    const vmm = await standIn([], listen(qmpSocket));
    expect(await find(testVm({ adopt: { qmpSocket } }))).toMatchObject({ pid: vmm.pid });
    await end(vmm);
    expect(await find(testVm({ adopt: { qmpSocket } }))).toBeUndefined();
  });

  it('is found though it bound a relative path', async () => {
    const { find } = ownVm();
    const qmpSocket = join(testFolder(), 'q.sock');
    const vmm = await standIn([], `process.chdir(${JSON.stringify(dirname(qmpSocket))});${listen('q.sock')}`);
    expect(await find(testVm({ adopt: { qmpSocket } }))).toMatchObject({ pid: vmm.pid });
  });

  it('is the one of the PID file if several hold the socket', async () => {
    const { find } = ownVm();
    const folder = testFolder();
    const qmpSocket = join(folder, 'q.sock');
    const pidFile = join(folder, 'pid');
    const fork = `require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'],
      { stdio: ['ignore', 'ignore', 'ignore', server._handle.fd] }).unref()`;
    const vmm = await standIn(
      [],
      `const server = ${listen(qmpSocket)}; server.on('listening', () => { ${fork} })`,
    );
    onTestFinished(async () => {
      const all = await scanner.listeners(qmpSocket, undefined, new Deadline('find', { deadlineMs: 10_000 }));
      for (const { pid } of all) process.kill(pid, 'SIGKILL');
    });
    await expect
      .poll(() => find(testVm({ adopt: { qmpSocket } })).catch((error) => error.code))
      .toBe('ERR_VMPULSE_IDENTITY');
    writeFileSync(pidFile, `${vmm.pid}\n`);
    expect(await find(testVm({ adopt: { qmpSocket, pidFile } }))).toMatchObject({ pid: vmm.pid });
    writeFileSync(pidFile, '1\n');
    await expect(find(testVm({ adopt: { qmpSocket, pidFile } }))).rejects.toMatchObject({
      code: 'ERR_VMPULSE_IDENTITY',
    });
  });

  it('is nobody when the socket is of another file', async () => {
    const { find } = ownVm();
    const [here, there] = [join(testFolder(), 'q.sock'), join(testFolder(), 'q.sock')];
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(here, resolve));
    onTestFinished(() => void server.close());
    writeFileSync(there, '');
    expect(await find(testVm({ adopt: { qmpSocket: there } }))).toBeUndefined();
    expect(await find(testVm({ adopt: { qmpSocket: here } }))).toMatchObject({ pid: process.pid });
  });
});

describe('a process', () => {
  it('is alive, then dead', async () => {
    const vmm = await standIn([]);
    expect(livingState(vmm)).toMatch(/^[RS]$/);
    expect(livingState({ ...vmm, startTimeTicks: 1 })).toBeUndefined();
    vmm.child.kill('SIGSTOP');
    await expect.poll(() => livingState(vmm)).toBe('T');
    await end(vmm);
    expect(livingState(vmm)).toBeUndefined();
    expect(identify(vmm.pid)).toBeUndefined();
  });

  it('is dead as a zombie', async () => {
    // The child ends unreaped, as its parent has become a program that expects none.
    const parent = spawn('/bin/sh', ['-c', 'sleep 0 & echo $!; exec sleep 1000'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    onTestFinished(() => {
      parent.kill('SIGKILL');
    });
    const pid = await new Promise<number>((resolve) =>
      parent.stdout.once('data', (text) => resolve(Number(text))),
    );
    const zombie = identify(pid);
    if (zombie === undefined) throw new Error('the child was reaped');
    await expect.poll(() => readProcStat(pid)?.state).toBe('Z');
    expect(livingState(zombie)).toBeUndefined();
  });
});
