import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { testFolder } from '../../fixtures/folder.js';
import { runCommandLine } from './in-process.js';

const short = ['--targets', '100', '--period', '200ms', '--duration', '1s'];

describe('vmpulse bench', () => {
  it.each([
    'tcp',
    'tcp-fin',
    'half-open',
    'icmp',
    'http',
    'https',
  ])('measures %s on loopback: every probe is ok', async (kind) => {
    const json = join(testFolder(), 'result.json');
    const { status, stdout, stderr } = await runCommandLine([
      'bench',
      '--kind',
      kind,
      ...short,
      '--json',
      json,
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(`${kind}, 100 targets, one probe each in 200 ms`);
    const report = JSON.parse(readFileSync(json, 'utf8'));
    expect(report).toEqual({
      kind,
      targets: 100,
      periodMs: 200,
      durationMs: expect.any(Number),
      probes: expect.any(Number),
      probesPerSecond: expect.any(Number),
      cpuUsPerProbe: expect.any(Number),
      bytesPerTarget: expect.any(Number),
      latenessMs: { p50: expect.any(Number), p99: expect.any(Number), max: expect.any(Number) },
      outcomes: expect.objectContaining({ ok: expect.any(Number) }),
      reactor: expect.stringMatching(/^(epoll|io_uring)$/),
    });
    expect(report.durationMs).toBeGreaterThanOrEqual(1000);
    expect(report.probes).toBeGreaterThanOrEqual(100);
    expect(report.cpuUsPerProbe).toBeGreaterThan(0);
    // A busy machine may make some late, on either side of the connection; none of them fails otherwise.
    const { ok, ...others } = report.outcomes;
    expect(ok).toBeGreaterThanOrEqual(50);
    expect(Object.keys(others).filter((reason) => !/^prober-late$|-timeout$/.test(reason))).toEqual([]);
  });

  it('probes the targets of a list, and tells their outcomes by reason', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).resume());
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    const list = join(testFolder(), 'targets.txt');
    writeFileSync(list, `# two of them\n127.0.0.1:${address.port}\n\n127.0.0.2:1  # nobody listens\n`);
    const svg = join(testFolder(), 'chart.svg');
    const { status, stdout } = await runCommandLine([
      ...['bench', '--target-list', list, '--period', '200ms', '--duration', '1s', '--svg', svg],
    ]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^ok +\d+ /m);
    expect(stdout).toMatch(/^connection-refused +\d+ /m);
    expect(readFileSync(svg, 'utf8')).toMatch(/^<svg [\s\S]*>p99<[\s\S]*<\/svg>\n$/);
  });

  it.each([
    ['192.0.2.1', 'targets.txt:1: "192.0.2.1" is no target; write an address and a port'],
    ['# nothing\n', 'has no targets'],
    ['192.0.2.1:1\n'.repeat(3), '192.0.2.1 would be probed 15 times a second, at most 10 are allowed'],
  ])('refuses the list %j before anything is probed', async (text, message) => {
    const list = join(testFolder(), 'targets.txt');
    writeFileSync(list, text);
    const { status, stderr, stdout } = await runCommandLine([
      'bench',
      '--target-list',
      list,
      '--period',
      '200ms',
    ]);
    expect({ status, stdout }).toEqual({ status: 64, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain('[ERR_VMPULSE_USAGE]');
  });

  it('refuses a count that is none', async () => {
    const { status, stderr } = await runCommandLine(['bench', '--targets', 'many']);
    expect(status).toBe(64);
    expect(stderr).toContain('Write a whole number from 1 to 1000000');
  });

  it('draws a bar on a terminal only', async () => {
    const { stderr } = await runCommandLine(['bench', ...short], { isTTY: true });
    expect(stderr).toContain('█');
    expect(stderr.endsWith('\r\u001b[K')).toBe(true);
  });
});
