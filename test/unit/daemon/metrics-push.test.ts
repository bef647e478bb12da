import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { MetricsPush } from '../../../src/daemon/metrics-push.js';
import { testFolder } from '../../fixtures/folder.js';
import { startCli } from '../cli/run-cli.js';
import { startSink } from '../metrics/sink.js';

const PATIENCE = { timeout: 25_000, interval: 20 };

function start(more: Partial<ConstructorParameters<typeof MetricsPush>[0]>) {
  const ends: (string | undefined)[] = [];
  const push = new MetricsPush({
    endpoint: 'http://127.0.0.1:1',
    everyMs: 1_000,
    labels: { instance: 'kvm-1' },
    render: async () => Buffer.from('vmpulse_up 1\n'),
    onEnd: (why) => ends.push(why),
    ...more,
  });
  onTestFinished(() => push.close());
  return { push, ends };
}

describe('MetricsPush', () => {
  it('sends what is rendered, again and again, with the token of the time', async () => {
    const sink = await startSink();
    const tokenFile = join(testFolder(), 'token');
    writeFileSync(tokenFile, 'first\n');
    let n = 0;
    const { ends } = start({
      ...{ endpoint: sink.url, tokenFile, everyMs: 5_000 },
      render: async () => Buffer.from(`x ${++n}\n`),
    });
    await vi.waitFor(() => expect(ends.length).toBeGreaterThan(0), PATIENCE);
    writeFileSync(tokenFile, 'second\n');
    await vi.waitFor(() => expect(ends.length).toBeGreaterThan(1), PATIENCE);
    expect(ends.slice(0, 2)).toEqual([undefined, undefined]);
    expect(sink.received.slice(0, 2)).toMatchObject([
      { headers: { authorization: 'Bearer first' }, series: [{ labels: { instance: 'kvm-1' }, value: 1 }] },
      { headers: { authorization: 'Bearer second' }, series: [{ value: 2 }] },
    ]);
  });

  it('says why it failed, and goes on', async () => {
    const sink = await startSink();
    sink.answers.push(401);
    const { ends } = start({ endpoint: sink.url });
    await vi.waitFor(() => expect(ends.length).toBeGreaterThan(1), PATIENCE);
    expect(ends.slice(0, 2)).toEqual([expect.stringContaining('answers 401'), undefined]);
  });

  it('does not wait for a receiver when it is closed', async () => {
    const sink = await startSink();
    sink.answers.push(...new Array<number>(100).fill(0));
    const { push, ends } = start({ endpoint: sink.url, everyMs: 3_600_000 });
    await vi.waitFor(() => expect(sink.received.length).toBe(1), PATIENCE);
    await push.close();
    expect(ends).toEqual([]);
  });

  it('is what a daemon does whose configuration says so', async () => {
    const sink = await startSink();
    const dir = testFolder();
    const config = join(dir, 'config.yaml');
    writeFileSync(
      config,
      `hostName: kvm-7\nmetrics: {push: {endpoint: '${sink.url}', every: 1s}}\nmanifests: []\n`,
    );
    startCli(['run', '--config', config, '--state-dir', join(dir, 'state'), '--run-dir', join(dir, 'run')]);
    const pushed = () =>
      sink.received
        .flatMap(({ series }) => series)
        .filter(
          ({ labels }) => labels.__name__ === 'vmpulse_metrics_pushes_total' && labels.result === 'sent',
        );
    // The second tells of the first.
    await vi.waitFor(() => expect(pushed().map(({ value }) => value)).toContain(1), PATIENCE);
    expect(pushed()[0]?.labels).toMatchObject({ job: 'vmpulse', instance: 'kvm-7' });
  });
});
