import { readFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../../src/config/index.js';
import type { DoctorCheck } from '../../../src/doctor/check.js';
import { demandOf, demandOfDefaults } from '../../../src/doctor/demand.js';
import { ok } from '../../../src/doctor/finding.js';
import { realHost } from '../../../src/doctor/real-host.js';
import { CHECKS } from '../../../src/doctor/registry.js';
import { runDoctor } from '../../../src/doctor/run-doctor.js';
import { testFolder } from '../../fixtures/folder.js';
import { runCommandLine } from '../cli/in-process.js';
import { fakeHost } from './fake-host.js';

const page = readFileSync(new URL('../../../docs/guides/doctor.md', import.meta.url), 'utf8');
const demand = demandOfDefaults();
const check = (id: string, look: DoctorCheck['look']): DoctorCheck => ({ id, looksAt: 'x', why: 'y', look });

describe('docs/guides/doctor.md', () => {
  it('lists every check with its words, in the order of the report', () => {
    const rows = [...page.matchAll(/^\| `([a-z-]+)` \| (.*?) \| (.*?) \|$/gm)].map(([, ...row]) => row);
    expect(rows).toEqual(CHECKS.map(({ id, looksAt, why }) => [id, looksAt, why]));
  });
});

describe('the run of all checks', () => {
  it('tells what throws or hangs as findings, beside the others', async () => {
    const checks = [
      check('throws', () => {
        throw new Error('boom');
      }),
      check('hangs', () => new Promise(() => {})),
      check('works', () => [ok('fine')]),
    ];
    const report = await runDoctor({ host: fakeHost({}), demand, checks, deadlineMs: 50 });
    expect(report.findings.map(({ id, severity, seen }) => [id, severity, seen])).toEqual([
      ['throws', 'warning', 'could not be told: boom'],
      ['hangs', 'warning', 'could not be told: check hangs did not end before its deadline'],
      ['works', 'ok', 'fine'],
    ]);
    expect(report.counts).toEqual({ ok: 1, info: 0, warning: 2, error: 0 });
  });

  it('is withdrawn by its signal', async () => {
    const checks = [check('hangs', () => new Promise(() => {}))];
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(runDoctor({ host: fakeHost({}), demand, checks, signal })).rejects.toThrow('enough');
  });

  it('does not look like a leak to Node, however many checks listen to the signal', async () => {
    const warnings: string[] = [];
    const note = ({ name }: Error) => void warnings.push(name);
    process.on('warning', note);
    onTestFinished(() => void process.off('warning', note));
    const checks = Array.from({ length: 30 }, (_, i) => check(`c${i}`, () => [ok('fine')]));
    const { signal } = new AbortController();
    const { counts } = await runDoctor({ host: fakeHost({}), demand, checks, signal });
    // Node tells of it in a later turn.
    await new Promise((resolve) => setImmediate(resolve));
    expect(counts.ok).toBe(30);
    expect(warnings).toEqual([]);
  });

  it('has a format that does not change', async () => {
    const checks = [check('works', () => [{ ...ok('fine'), subject: 's', fix: 'f' }])];
    expect(await runDoctor({ host: fakeHost({}), demand, checks })).toEqual({
      version: 1,
      configuration: null,
      findings: [{ id: 'works', subject: 's', severity: 'ok', seen: 'fine', why: 'y', fix: 'f' }],
      counts: { ok: 1, info: 0, warning: 0, error: 0 },
    });
  });

  it('has checks of different names', () => {
    expect(new Set(CHECKS.map(({ id }) => id)).size).toBe(CHECKS.length);
  });
});

describe('programs', () => {
  const run = realHost().run;

  it('are ended at their deadline, and told as such', async () => {
    expect(await run(['/bin/sleep', '60'], { deadlineMs: 200 })).toEqual({
      ended: false,
      why: 'did not end within 200 ms',
    });
  });

  it('that are missing are told', async () => {
    const missing = await run(['/no/such/program'], { deadlineMs: 5_000 });
    expect(missing).toMatchObject({ ended: false, why: expect.stringContaining('ENOENT') });
  });
});

describe('what a configuration asks for', () => {
  it('is counted from its VMs and probes', async () => {
    const source = new URL('../../../examples/config.yaml', import.meta.url).pathname;
    const loaded = await loadConfig(source);
    const asked = demandOf(source, loaded);
    expect(asked.vms).toBe(loaded.vms.length);
    const built = loaded.vms.filter(({ hypervisor }) => hypervisor.adopt === undefined);
    expect(built.length).toBeLessThan(loaded.vms.length);
    const { memoryMiB, threads, openFiles } = asked;
    expect(memoryMiB).toBe(built.reduce((sum, { hypervisor }) => sum + hypervisor.memoryMiB, 0));
    expect(threads).toBe(built.reduce((sum, { hypervisor }) => sum + hypervisor.vcpus + 6, 0));
    expect(openFiles).toBe(256 + 3 * loaded.vms.length + asked.connectionsAtOnce);
    expect(asked.connectionsAtOnce).toBeGreaterThan(0);
    expect(asked.connectionsPerSecond).toBeGreaterThan(0);
    expect(asked.diskFolders.length).toBeGreaterThan(0);
    expect(asked.programs.get('qemu-system-x86_64')?.length).toBeGreaterThan(0);
  });
});

describe('vmpulse doctor', () => {
  it('looks at this host, within its deadlines, and gives one line of JSON', async () => {
    const { stdout, stderr, status } = await runCommandLine(['doctor', '--json']);
    expect(stderr).toBe('');
    const report = JSON.parse(stdout);
    expect(new Set(report.findings.map(({ id }: { id: string }) => id))).toEqual(
      new Set(CHECKS.map(({ id }) => id)),
    );
    const texts: string[] = report.findings.map(({ seen }: { seen: string }) => seen);
    expect(texts.filter((text) => text.includes('could not be told'))).toEqual([]);
    expect(status).toBe(report.counts.error > 0 ? 1 : 0);
  });

  it('tells a person what is wrong, why, and what to do; an invalid configuration is an error', async () => {
    const config = `${testFolder()}/missing.yaml`;
    const { stdout, status } = await runCommandLine(['doctor', '--config', config]);
    expect(status).toBe(1);
    expect(stdout).toMatch(
      new RegExp(
        `^ x configuration +${config}:1:1.* does not exist.*\\n     What the other checks .*\\n     fix: vmpulse config check FILE\\n`,
      ),
    );
    expect(stdout).toMatch(/\n\d+ errors?, \d+ warnings?\n$/);
  });
});
