import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { testFolder } from '../../fixtures/folder.js';
import { serve } from '../daemon/helpers.js';
import { startSink } from '../metrics/sink.js';
import { runCommandLine } from './in-process.js';
import { startCli } from './run-cli.js';

const TEXT = `# HELP vmpulse_up It is.
# TYPE vmpulse_up gauge
vmpulse_up 1
# HELP vmpulse_vm_ready 1 while it is ready.
# TYPE vmpulse_vm_ready gauge
vmpulse_vm_ready{namespace="default",vm="web-1"} 1
vmpulse_vm_ready{namespace="lab",vm="db"} 0
# HELP virt_platform_compliance_status 1=synced.
# TYPE virt_platform_compliance_status gauge
virt_platform_compliance_status{kind="VirtualMachine",name="db",namespace="lab"} 1
virt_platform_compliance_status{kind="Configuration",name="db",namespace="lab"} NaN
`;

async function daemon() {
  const served = await serve();
  served.runtime.renderMetrics = async () => Uint8Array.from(Buffer.from(TEXT));
  const run = (...args: readonly string[]) => runCommandLine(['metrics', ...args, '--socket', served.socket]);
  return { ...served, run };
}

describe('vmpulse metrics', () => {
  it('prints everything as Prometheus reads it', async () => {
    const { run } = await daemon();
    expect(await run()).toEqual({ status: 0, stderr: '', stdout: TEXT });
  });

  it('prints one VM, under all its names', async () => {
    const { run } = await daemon();
    const { stdout } = await run('lab/db');
    expect(stdout.split('\n').filter((line) => !line.startsWith('#'))).toEqual([
      'vmpulse_vm_ready{namespace="lab",vm="db"} 0',
      'virt_platform_compliance_status{kind="VirtualMachine",name="db",namespace="lab"} 1',
      '',
    ]);
    expect((await run('db')).stdout).toBe(stdout);
    expect(await run('db', 'nobody')).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining('there are no metrics of a VM nobody'),
    });
  });

  it('prints JSON, with text where JSON has no number', async () => {
    const { run } = await daemon();
    const { stdout } = await run('--format', 'json');
    const { metrics } = JSON.parse(stdout);
    expect(metrics).toContainEqual({
      name: 'vmpulse_up',
      type: 'gauge',
      help: 'It is.',
      samples: [{ labels: {}, value: 1 }],
    });
    expect(JSON.stringify(metrics)).toContain('"value":"NaN"');
  });

  it('sends them once, with a token', async () => {
    const [{ run }, sink] = [await daemon(), await startSink()];
    const tokenFile = join(testFolder(), 'token');
    writeFileSync(tokenFile, 'secret\n');
    expect(await run('web-1', '--endpoint', sink.url, '--endpoint-token-file', tokenFile)).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
    expect(sink.received).toMatchObject([
      { path: '/api/v1/write', headers: { authorization: 'Bearer secret' }, series: [{ value: 1 }] },
    ]);
    expect(sink.received[0]?.series[0]?.labels).toEqual({
      __name__: 'vmpulse_vm_ready',
      instance: hostname(),
      job: 'vmpulse',
      namespace: 'default',
      vm: 'web-1',
    });
  });

  it('tells why they could not be sent', async () => {
    const [{ run }, sink] = [await daemon(), await startSink()];
    sink.answers.push(403);
    const told = await run('--endpoint', sink.url);
    expect(told.stderr).toMatch(/answers 403: no\\u001b thanks \[ERR_VMPULSE_COMMAND\]/);
    expect(told.status).not.toBe(0);
    expect(await run('--stream')).toMatchObject({
      status: 64,
      stderr: expect.stringContaining('--endpoint'),
    });
  });

  it('refuses what would have no effect, and a token that is not there', async () => {
    const [{ run }, sink] = [await daemon(), await startSink()];
    const missing = ['--endpoint-token-file', join(testFolder(), 'none')];
    const refusals = [
      { args: ['--every', '5s', '--endpoint', sink.url], says: '--every does nothing without --stream' },
      { args: missing, says: '--endpoint-token-file does nothing without --endpoint' },
      { args: ['--endpoint', sink.url, ...missing], says: 'none cannot be read: ENOENT' },
    ];
    for (const { args, says } of refusals)
      expect(await run(...args)).toMatchObject({
        ...{ status: 64, stdout: '' },
        stderr: expect.stringContaining(says),
      });
    expect(sink.received).toEqual([]);
  });

  it('sends them again and again, also after one was refused, until it is interrupted', async () => {
    const [{ socket }, sink] = [await daemon(), await startSink()];
    sink.answers.push(204, 400);
    const args = ['metrics', '--stream', '--endpoint', sink.url, '--every', '100ms', '--socket', socket];
    const { child, ended } = startCli(args);
    await vi.waitFor(() => expect(sink.received.length).toBeGreaterThan(3), {
      timeout: 25_000,
      interval: 50,
    });
    child.kill('SIGINT');
    const { status, stderr } = await ended;
    expect(status).toBe(0);
    expect(stderr).toContain('answers 400');
  });
});
