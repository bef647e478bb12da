import { describe, expect, it } from 'vitest';
import { parseExposition, writeExposition } from '../../../src/runtime/metrics/exposition.js';
import { type PushTask, sendMetrics } from '../../../src/runtime/metrics/push/send-metrics.js';
import { startSink } from './sink.js';

const TEXT = `# HELP vmpulse_vm_ready 1 while it is ready.
# TYPE vmpulse_vm_ready gauge
vmpulse_vm_ready{namespace="a",vm="we\\"b\\\\\\n"} 1
vmpulse_vm_ready{namespace="a",vm=""} 0
# HELP vmpulse_probe_duration_seconds How long.
# TYPE vmpulse_probe_duration_seconds histogram
vmpulse_probe_duration_seconds_bucket{kind="icmp",le="0.001"} 5
vmpulse_probe_duration_seconds_bucket{kind="icmp",le="+Inf"} 7
vmpulse_probe_duration_seconds_sum{kind="icmp"} 0.25
vmpulse_probe_duration_seconds_count{kind="icmp"} 7
# HELP vmpulse_up It is.
# TYPE vmpulse_up gauge
vmpulse_up 1
`;
const AT_MS = 1_700_000_000_123;
const PATIENCE_MS = 20_000;

function task(endpoint: string, more: Partial<PushTask> = {}): PushTask {
  const labels = { job: 'vmpulse', instance: 'kvm-1' };
  return { endpoint, labels, text: Buffer.from(TEXT), atMs: AT_MS, ...more };
}

describe('the text format', () => {
  it('is read with its escapes, and written as it was', () => {
    const families = parseExposition(TEXT);
    expect(families.map(({ name, type, samples }) => [name, type, samples.length])).toEqual([
      ['vmpulse_vm_ready', 'gauge', 2],
      ['vmpulse_probe_duration_seconds', 'histogram', 4],
      ['vmpulse_up', 'gauge', 1],
    ]);
    expect(families[0]?.samples[0]?.labels).toEqual({ namespace: 'a', vm: 'we"b\\\n' });
    expect(writeExposition(families)).toBe(TEXT);
  });

  it.each([
    'x',
    'x{a=1} 1',
    'x{a="1} 1',
    'x one',
    'x{a="1"b="2"} 1x',
  ])('is refused with its line: %s', (line) => {
    expect(() => parseExposition(`# TYPE x gauge\n${line}\n`)).toThrow(
      'line 2 of the metrics cannot be read',
    );
  });

  it('has numbers that are none', () => {
    const [family] = parseExposition('x NaN\nx +Inf\nx -Inf\n');
    expect(family?.samples.map(({ value }) => value)).toEqual([
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]);
  });
});

describe('sendMetrics', () => {
  it('sends every sample with its labels in order, its time, and the labels of all', async () => {
    const sink = await startSink();
    await sendMetrics(task(sink.url, { token: 'secret' }), { deadlineMs: PATIENCE_MS });
    const [{ headers, path, series } = { headers: {}, path: '', series: [] }] = sink.received;
    expect(path).toBe('/api/v1/write');
    expect(headers).toMatchObject({
      authorization: 'Bearer secret',
      'content-encoding': 'snappy',
      'content-type': 'application/x-protobuf',
      'x-prometheus-remote-write-version': '0.1.0',
    });
    expect(
      series.map(({ labels, value, atMs }) => [
        Object.entries(labels).map((pair) => pair.join('=')),
        value,
        atMs,
      ]),
    ).toEqual([
      [
        ['__name__=vmpulse_vm_ready', 'instance=kvm-1', 'job=vmpulse', 'namespace=a', 'vm=we"b\\\n'],
        1,
        AT_MS,
      ],
      [['__name__=vmpulse_vm_ready', 'instance=kvm-1', 'job=vmpulse', 'namespace=a'], 0, AT_MS],
      [
        [
          '__name__=vmpulse_probe_duration_seconds_bucket',
          'instance=kvm-1',
          'job=vmpulse',
          'kind=icmp',
          'le=0.001',
        ],
        5,
        AT_MS,
      ],
      [
        [
          '__name__=vmpulse_probe_duration_seconds_bucket',
          'instance=kvm-1',
          'job=vmpulse',
          'kind=icmp',
          'le=+Inf',
        ],
        7,
        AT_MS,
      ],
      [
        ['__name__=vmpulse_probe_duration_seconds_sum', 'instance=kvm-1', 'job=vmpulse', 'kind=icmp'],
        0.25,
        AT_MS,
      ],
      [
        ['__name__=vmpulse_probe_duration_seconds_count', 'instance=kvm-1', 'job=vmpulse', 'kind=icmp'],
        7,
        AT_MS,
      ],
      [['__name__=vmpulse_up', 'instance=kvm-1', 'job=vmpulse'], 1, AT_MS],
    ]);
  });

  it('divides many series into requests that a receiver takes', async () => {
    const sink = await startSink();
    const text = Array.from({ length: 4_500 }, (_, n) => `x{n="${n}"} ${n}\n`).join('');
    await sendMetrics(task(sink.url, { text: Buffer.from(text) }), { deadlineMs: PATIENCE_MS });
    expect(sink.received.map(({ series }) => series.length)).toEqual([2_000, 2_000, 500]);
    expect(sink.received.flatMap(({ series }) => series).map(({ value }) => value)).toEqual(
      Array.from({ length: 4_500 }, (_, n) => n),
    );
  });

  it('tries again what is refused for a while, at a path of its own', async () => {
    const sink = await startSink();
    sink.answers.push(503, 429);
    await sendMetrics(task(`${sink.url}/push`), { deadlineMs: PATIENCE_MS });
    expect(sink.received.map(({ path }) => path)).toEqual(['/push', '/push', '/push']);
  });

  it('does not try again what is refused for good, and escapes what it was told', async () => {
    const sink = await startSink();
    sink.answers.push(400);
    await expect(sendMetrics(task(sink.url), { deadlineMs: PATIENCE_MS })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_COMMAND',
      message: expect.stringMatching(/answers 400: no\\u001b thanks$/),
    });
    expect(sink.received).toHaveLength(1);
  });

  it('gives up at the deadline, whether it is refused or not answered at all', async () => {
    const refusing = await startSink();
    refusing.answers.push(...new Array<number>(100).fill(500));
    const call = { deadlineMs: 700 };
    await expect(sendMetrics(task(refusing.url), call)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_TIMEOUT',
    });
    expect(refusing.received.length).toBeGreaterThan(0);
    const silent = await startSink();
    silent.answers.push(...new Array<number>(100).fill(0));
    await expect(sendMetrics(task(silent.url), call)).rejects.toMatchObject({ code: 'ERR_VMPULSE_TIMEOUT' });
  });

  it.each(['monitoring:9090', 'ftp://x', ''])('refuses the endpoint "%s"', async (endpoint) => {
    await expect(sendMetrics(task(endpoint), { deadlineMs: 1 })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ARGUMENT',
    });
  });
});
