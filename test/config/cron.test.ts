import { describe, expect, it } from 'vitest';
import { cronField, nextCronMs } from '../../src/config/cron.js';
import { MAINTENANCE_TASKS } from '../../src/model/maintenance.js';
import { compileOne } from './compile.js';

const next = (expression: string, after: string) => {
  const ms = nextCronMs(expression, Date.parse(after));
  return ms === null ? null : new Date(ms).toISOString().slice(0, 16);
};

describe('cron expressions', () => {
  it.each([
    ['0 3 * * *', '2030-01-01T02:59:59.999Z', '2030-01-01T03:00'],
    ['0 3 * * *', '2030-01-01T03:00Z', '2030-01-02T03:00'],
    ['30 3 * * Sun', '2030-01-01T00:00Z', '2030-01-06T03:30'],
    ['30 3 * * 7', '2030-01-01T00:00Z', '2030-01-06T03:30'],
    ['0 0 1 * *', '2030-12-15T00:00Z', '2031-01-01T00:00'],
    ['0 0 31 * *', '2030-02-01T00:00Z', '2030-03-31T00:00'],
    ['0 0 29 2 *', '2030-01-01T00:00Z', '2032-02-29T00:00'],
    ['0 0 29 2 *', '2096-03-01T00:00Z', '2104-02-29T00:00'],
    ['*/15 22-23 * * Mon-Fri', '2030-01-04T23:45Z', '2030-01-07T22:00'],
    ['0 0 13 * Fri', '2030-01-01T00:00Z', '2030-01-04T00:00'],
  ])('%s comes up after %s at %s', (expression, after, at) => {
    expect(next(expression, after)).toBe(at);
  });

  it('knows no summer time: clocks of Europe go forward in between', () => {
    expect(next('30 1 * * *', '2030-03-31T00:00Z')).toBe('2030-03-31T01:30');
    expect(next('30 1 * * *', '2030-03-31T01:30Z')).toBe('2030-04-01T01:30');
  });

  it.each([
    '',
    '* * * *',
    '0 0 3 * * *',
    '@daily',
    '2030-01-01T00:00:00Z',
    '61 3 * * *',
    '0 24 * * *',
    '0 3 0 * *',
    '0 3 * 13 *',
    '0 3 * * Sonntag',
    '0 3 * * Mon-',
    '*/0 * * * *',
    '5-1 * * * *',
    '0 3 * * *\n',
    `0${',1'.repeat(100)} * * * *`,
  ])('refuses %j', (text) => {
    expect(cronField.safeParse(text).success).toBe(false);
    expect(nextCronMs(text, 0)).toBeNull();
  });

  it.each(['0 0 30 2 *', '0 0 31 4,6,9,11 *'])('refuses %s, which never comes up', (text) => {
    expect(cronField.safeParse(text).error?.issues[0]?.message).toContain('never comes up');
  });
});

describe('maintenance of a host document', () => {
  const MANIFEST = `{apiVersion: kubevirt.io/v1, kind: VirtualMachine, metadata: {name: web-1}, spec: {running: true, template: {spec: {}}}}`;
  const host = (maintenance: string) =>
    `{apiVersion: vmpulse.dev/v1, kind: VirtualMachineHost, metadata: {name: web-1}, spec: {hypervisor: {qemu: {memory: 1Gi, disks: [{path: /a.qcow2, format: qcow2}]}}, maintenance: ${maintenance}}}`;

  it.each(MAINTENANCE_TASKS)('may do %s', (task) => {
    const { maintenance } = compileOne(MANIFEST, host(`[{name: job, schedule: 0 3 * * *, do: ${task}}]`));
    expect(maintenance).toEqual([{ name: 'job', schedule: '0 3 * * *', do: task }]);
  });

  it('may run a command, and needs no restart of the VM to change', () => {
    const text = '[{name: job, schedule: 0 3 * * *, command: [/sbin/tidy, --now]}]';
    const { maintenance, machineDigest } = compileOne(MANIFEST, host(text));
    expect(maintenance).toEqual([
      { name: 'job', schedule: '0 3 * * *', do: { command: ['/sbin/tidy', '--now'] } },
    ]);
    expect(machineDigest).toBe(compileOne(MANIFEST, host('[]')).machineDigest);
  });
});
