import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/model/clock.js';
import { VmpulseError } from '../../../src/model/errors.js';
import type { GuestAccess, GuestDisk, GuestResources } from '../../../src/model/guest.js';
import type { ProbeCheck } from '../../../src/model/probe.js';
import type { Finding } from '../../../src/probes/external.js';
import { PROBE_KINDS } from '../../../src/probes/registry.js';

const SOON = { deadlineMs: 5_000, signal: new AbortController().signal };

function look(kind: 'exec' | 'resource', written: unknown, guest: Partial<GuestAccess>): Promise<Finding> {
  const entry = PROBE_KINDS[kind];
  const check: ProbeCheck = entry.schema.parse(written);
  const nobody = () => Promise.reject(new Error('not asked'));
  const probe = entry.open(check, {
    probe: 'test',
    timing: { periodMs: 10_000, timeoutMs: 5_000 },
    clock: systemClock,
    guest: { exec: nobody, resources: nobody, ...guest },
    runInPool: nobody,
    runTogether: nobody,
    resolveHost: nobody,
  });
  if (probe === undefined) throw new Error(`${kind} runs in the engine`);
  return probe.probe(SOON);
}

const failed = (reason: string) => ({ result: 'failed', reason });

describe('exec', () => {
  const ending = (exitCode: number, stdout = '', stderr = ''): Partial<GuestAccess> => ({
    exec: async () => ({ exitCode, stdout, stderr }),
  });
  const command = ['cat', '/tmp/healthy'];

  it('is ok when the command ends with 0, or as is expected', async () => {
    expect((await look('exec', { command }, ending(0))).outcome).toEqual({ result: 'ok' });
    expect((await look('exec', { command, exitCodes: [3] }, ending(3))).outcome).toEqual({ result: 'ok' });
    const finding = await look('exec', { command }, ending(1, '', 'no such\nfile\u001b[0m'));
    expect(finding.outcome).toEqual(failed('exec-nonzero'));
    expect(finding.message).toBe('exit status 1: no such file\\u001b[0m');
  });

  it('looks at the output, line by line', async () => {
    const written = { command, expectOutput: '^active$' };
    expect((await look('exec', written, ending(0, 'one\nactive\n'))).outcome).toEqual({ result: 'ok' });
    expect((await look('exec', written, ending(0, 'inactive\n'))).outcome).toEqual(failed('bad-body'));
  });

  const throwing = (error: VmpulseError): Partial<GuestAccess> => ({ exec: () => Promise.reject(error) });
  const answer = (name: string) =>
    new VmpulseError('ERR_VMPULSE_COMMAND', 'the agent said no', { details: { class: name } });

  it.each([
    ['agent-error', answer('GenericError')],
    ['agent-not-connected', new VmpulseError('ERR_VMPULSE_CHANNEL', 'connection-refused: no socket')],
    ['agent-error', new VmpulseError('ERR_VMPULSE_CHANNEL', 'protocol-error: expected JSON')],
    ['agent-error', new VmpulseError('ERR_VMPULSE_CHANNEL', 'the guest agent answered in another shape')],
    ['response-timeout', new VmpulseError('ERR_VMPULSE_TIMEOUT', 'late')],
  ])('fails with %s', async (reason, error) => {
    expect((await look('exec', { command }, throwing(error))).outcome).toEqual(failed(reason));
  });

  it('does not blame the guest for what its agent may not do, or a channel that others hold', async () => {
    for (const name of ['CommandNotAllowed', 'CommandNotFound'])
      await expect(look('exec', { command }, throwing(answer(name)))).rejects.toThrow('said no');
    const busy = new VmpulseError('ERR_VMPULSE_CHANNEL', 'channel-busy: another client is served');
    expect((await look('exec', { command }, throwing(busy))).outcome).toEqual({
      result: 'inconclusive',
      reason: 'channel-busy',
    });
  });
});

describe('resource', () => {
  const GIB = 1024 ** 3;
  const disk = (mount: string, percent: number, more: Partial<GuestDisk> = {}): GuestDisk => ({
    mount,
    fsType: 'ext4',
    readOnly: false,
    totalBytes: 100 * GIB,
    usedBytes: percent * GIB,
    ...more,
  });
  const telling = (told: Partial<GuestResources>): Partial<GuestAccess> => ({
    resources: async () => ({ source: 'vmpulse-agent', disks: [], ...told }),
  });
  const memory = (used: number) => ({
    totalBytes: 100,
    availableBytes: 100 - used,
    swapTotalBytes: 0,
    swapFreeBytes: 0,
  });
  const cpu = (usedPercent: number, ioWaitPercent = 0) => ({ usedPercent, ioWaitPercent, stealPercent: 0 });

  it('is ok below the limits, with the values', async () => {
    const told = { disks: [disk('/', 45)], memory: memory(62), cpu: cpu(10) };
    expect(await look('resource', {}, telling(told))).toEqual({
      outcome: { result: 'ok' },
      message: 'the guest does not tell inodes',
      warnings: ['the guest does not tell inodes'],
      details: { disk_usage: 45, memory_usage: 62, cpu_usage: 10 },
    });
  });

  it.each([
    ['disk', { disks: [disk('/', 50), disk('/data', 95)] }, 'disk /data 95 % (critical from 95)'],
    [
      'disk',
      { disks: [disk('/', 5, { inodes: { total: 100, used: 99 } })] },
      'inodes / 99 % (critical from 95)',
    ],
    ['memory', { memory: memory(96) }, 'memory 96 % (critical from 95)'],
    ['cpu', { cpu: cpu(98.5) }, 'cpu 98.5 % (critical from 98)'],
  ])('fails with %s over the critical limit', async (reason, told, message) => {
    const finding = await look('resource', {}, telling(told));
    expect(finding.outcome).toEqual(failed(reason));
    expect(finding.message).toBe(message);
  });

  it('warns below the critical limit', async () => {
    const finding = await look('resource', { checks: ['disk'] }, telling({ disks: [disk('/', 86)] }));
    expect(finding.outcome).toEqual({ result: 'ok' });
    expect(finding.warnings).toEqual(['disk / 86 % (warning from 80)']);
  });

  it('looks at I/O wait and load only when told to', async () => {
    const told = { cpu: cpu(1, 99), load: [0, 40, 0] as const, cpus: 4 };
    expect((await look('resource', { checks: ['cpu'] }, telling(told))).outcome).toEqual({ result: 'ok' });
    const waits = await look('resource', { checks: ['ioWait'] }, telling(told));
    expect(waits.outcome).toEqual(failed('io-wait'));
    const load = await look('resource', { checks: ['load'] }, telling(told));
    expect(load.message).toBe('load over 5 minutes 10 a processor (critical from 4)');
  });

  it('leaves out what cannot fill up, unless it is named', async () => {
    const disks = [disk('/run', 100, { fsType: 'tmpfs' }), disk('/media', 100, { readOnly: true })];
    const checks = ['disk'];
    expect((await look('resource', { checks }, telling({ disks }))).outcome).toEqual({
      result: 'inconclusive',
      reason: 'prober-resources',
    });
    const named = await look('resource', { checks, mounts: ['/ru*'] }, telling({ disks }));
    expect(named.outcome).toEqual(failed('disk'));
  });

  it('takes absurd numbers of a guest for what they can be at most', async () => {
    const disks = [
      disk('/', 0, { totalBytes: 1, usedBytes: Number.MAX_SAFE_INTEGER }),
      disk('/x', 0, { totalBytes: 0 }),
    ];
    const finding = await look('resource', { checks: ['disk'] }, telling({ disks }));
    expect(finding.details).toEqual({ disk_usage: 100 });
  });
});
