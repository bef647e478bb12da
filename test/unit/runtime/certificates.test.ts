import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ProbeEngine } from '../../../src/engine/index.js';
import type { ProbeCheck } from '../../../src/model/probe.js';
import type { VmSpec } from '../../../src/model/vm.js';
import { noticeOf } from '../../../src/notify/notices.js';
import { usesTls } from '../../../src/probes/uses-tls.js';
import type { RuntimeEvent } from '../../../src/runtime/views.js';
import { settle } from '../../fakes/manual-clock.js';
import { probeSpec, vmSpec } from '../../fixtures/vm-spec.js';
import { Harness } from './harness.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const https = (port: number): ProbeCheck => ({
  kind: 'httpGet',
  http: { scheme: 'https', port, path: '/', headers: [] },
});
const usual = vmSpec('web');
const web = vmSpec('web', {
  probes: [...usual.probes, probeSpec('tls', 'check', https(443))],
  recovery: { ...usual.recovery, enabled: false },
});

const sees = (h: Harness, inMs: number) =>
  h.engine.details.set('test/web/tls', { certificateNotAfterMs: h.clock.now() + inMs });

async function running(...vms: VmSpec[]): Promise<Harness> {
  const h = new Harness();
  await h.startHealthy(...vms);
  return h;
}

/** What people are told of certificates from now on. */
function listen(h: Harness): string[] {
  const told: string[] = [];
  const abort = new AbortController();
  onTestFinished(() => abort.abort());
  const take = (event: RuntimeEvent) => {
    const notice = noticeOf(event);
    if (notice?.topic.startsWith('certificate:'))
      told.push(`${notice.topic} ${notice.kind} ${notice.severity} ${notice.role}`);
  };
  void (async () => {
    for await (const event of h.supervisor.recorder.events({ signal: abort.signal })) take(event);
  })();
  return told;
}

describe('certificates', () => {
  it('are seen within a minute by the probes that speak TLS, while the VM runs', async () => {
    const h = await running(web);
    sees(h, 90 * DAY_MS);
    const notAfterMs = h.clock.now() + 90 * DAY_MS;
    h.engine.asked.length = 0;
    await h.clock.advance(MINUTE_MS);
    expect(h.supervisor.certificatesOf(web.id)).toEqual([{ probe: 'tls', notAfterMs }]);
    expect(h.engine.asked).toEqual(['test/web/tls']);
    h.driver.vanish(web);
    h.engine.transition('test/web/vmm-process', 'failed', 'process-gone');
    await h.clock.advance(MINUTE_MS);
    expect(h.supervisor.certificatesOf(web.id)).toEqual([]);
  });

  it('are seen also on a host that is reloaded more often than that', async () => {
    const h = await running(web);
    sees(h, 90 * DAY_MS);
    for (let i = 0; i < 4; i++) {
      await h.clock.advance(MINUTE_MS / 2);
      await h.supervisor.apply([web]);
    }
    expect(h.supervisor.certificatesOf(web.id)).toHaveLength(1);
  });

  it('are looked at every hour, and soon again what ends soon or was not seen', async () => {
    const h = await running(web);
    const asked = async (ms: number) => {
      h.engine.asked.length = 0;
      await h.clock.advance(ms);
      return h.engine.asked.length;
    };
    sees(h, 90 * DAY_MS);
    await asked(MINUTE_MS);
    expect(await asked(3 * HOUR_MS)).toBe(3);
    sees(h, 3 * DAY_MS);
    await asked(HOUR_MS);
    expect(await asked(HOUR_MS)).toBeGreaterThan(4);
    h.engine.details.clear();
    const before = h.supervisor.certificatesOf(web.id);
    expect(await asked(HOUR_MS)).toBeGreaterThan(4);
    // What cannot be reached has the one that was seen last.
    expect(h.supervisor.certificatesOf(web.id)).toEqual(before);
    expect(before).toHaveLength(1);
  });

  it('are told once they end soon, once they have ended, and once another one is seen', async () => {
    const h = await running(web);
    const told = listen(h);
    await settle();
    sees(h, 14 * DAY_MS + 2 * HOUR_MS);
    await h.clock.advance(HOUR_MS);
    expect(told).toEqual([]);
    await h.clock.advance(3 * HOUR_MS);
    const own = 'certificate:test/web/tls';
    expect(told).toEqual([`${own} certificate-expiring warning open`]);
    sees(h, 5 * MINUTE_MS);
    await h.clock.advance(HOUR_MS);
    expect(told.slice(1)).toEqual([`${own} certificate-expired error open`]);
    sees(h, 90 * DAY_MS);
    await h.clock.advance(2 * HOUR_MS);
    expect(told.slice(2)).toEqual([`${own} certificate-fine info close`]);
  });

  it('of a probe that is gone are forgotten, and what was told of them is over', async () => {
    const h = await running(web);
    const told = listen(h);
    await settle();
    sees(h, DAY_MS);
    await h.clock.advance(MINUTE_MS);
    await h.supervisor.apply([{ ...web, probes: usual.probes }]);
    await h.clock.advance(MINUTE_MS);
    expect(h.supervisor.certificatesOf(web.id)).toEqual([]);
    const kinds = told.map((line) => line.split(' ')[1]);
    expect(kinds).toEqual(['certificate-expiring', 'certificate-fine']);
  });

  it('are not those of a VMM that was replaced, however soon', async () => {
    const h = await running(web);
    sees(h, 90 * DAY_MS);
    await h.clock.advance(MINUTE_MS);
    expect(h.supervisor.certificatesOf(web.id)).toHaveLength(1);
    h.driver.vanish(web);
    h.engine.transition('test/web/vmm-process', 'failed', 'process-gone');
    await settle();
    h.driver.boot(web);
    await h.clock.advance(MINUTE_MS / 3);
    expect(h.supervisor.units.get(web.id)?.session).toBeDefined();
    expect(h.supervisor.certificatesOf(web.id)).toEqual([]);
    sees(h, 30 * DAY_MS);
    const notAfterMs = h.clock.now() + 30 * DAY_MS;
    await h.clock.advance(MINUTE_MS);
    expect(h.supervisor.certificatesOf(web.id)).toEqual([{ probe: 'tls', notAfterMs }]);
  });

  it('that were renewed while no daemon ran are told to be fine, and what was told is not told again', async () => {
    const first = await running(web, { ...web, id: 'test/other', name: 'other' });
    const both = (h: Harness, inMs: number) => {
      for (const vm of ['web', 'other'])
        h.engine.details.set(`test/${vm}/tls`, { certificateNotAfterMs: h.clock.now() + inMs });
    };
    both(first, DAY_MS);
    await first.clock.advance(MINUTE_MS);
    await first.supervisor.close();
    const second = new Harness(first);
    both(second, DAY_MS);
    sees(second, 90 * DAY_MS);
    await second.supervisor.start([web, { ...web, id: 'test/other', name: 'other' }]);
    const told = listen(second);
    await settle();
    await second.clock.advance(2 * MINUTE_MS);
    expect(told).toEqual(['certificate:test/web/tls certificate-fine info close']);
    await second.supervisor.close();
  });

  it('that no date can show are none', async () => {
    const h = await running(web);
    h.engine.details.set('test/web/tls', { certificateNotAfterMs: 1e300 });
    await h.clock.advance(MINUTE_MS);
    expect(h.supervisor.certificatesOf(web.id)).toEqual([]);
  });

  it('are what a real service shows, by a real engine', async () => {
    const pem = (name: string) =>
      readFileSync(new URL(`../../fakes/certs/${name}.pem`, import.meta.url), 'utf8');
    const server = createServer({ cert: pem('expired'), key: pem('expired.key') }, (_request, response) => {
      response.end('ok');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const place = server.address();
    if (place === null || typeof place === 'string') throw new Error('not a TCP server');
    const tls = probeSpec('tls', 'check', https(place.port));
    const vm = vmSpec('web', { probes: [{ ...tls, timing: { ...tls.timing, timeoutMs: 9_000 } }] });
    const engine = new ProbeEngine({ engine: 'portable', lateMs: 10_000 });
    onTestFinished(() => engine.close());
    const h: Harness = new Harness({ real: { engine } });
    onTestFinished(() => h.supervisor.close());
    h.driver.boot(vm);
    await h.supervisor.start([vm]);
    const told = listen(h);
    await settle();
    await h.clock.advance(MINUTE_MS);
    await vi.waitFor(() => expect(h.supervisor.certificatesOf(vm.id)).toHaveLength(1), { timeout: 20_000 });
    const [seen] = h.supervisor.certificatesOf(vm.id);
    expect(seen?.notAfterMs).toBeLessThan(Date.now());
    const expired = 'certificate:test/web/tls certificate-expired error open';
    await vi.waitFor(() => expect(told).toEqual([expired]), { timeout: 20_000 });
  });
});

describe('probes that see a certificate', () => {
  const exchange = { steps: [{ startTls: true as const }] };
  const ROWS: readonly (readonly [string, ProbeCheck, boolean])[] = [
    ['httpGet with https', https(443), true],
    ['httpGet', { kind: 'httpGet', http: { scheme: 'http', port: 80, path: '/', headers: [] } }, false],
    ['tcpExchange with tls', { kind: 'tcpExchange', exchange: { ...exchange, port: 25, tls: {} } }, true],
    ['tcpExchange', { kind: 'tcpExchange', exchange: { steps: [], port: 25 } }, false],
    ['grpc with tls', { kind: 'grpc', grpc: { port: 443, tls: {} } }, true],
    ['grpc', { kind: 'grpc', grpc: { port: 80 } }, false],
    [
      'vsock with tls',
      { kind: 'vsock', vsock: { cid: 3, port: 1, exchange: { ...exchange, tls: {} } } },
      true,
    ],
    ['vsock', { kind: 'vsock', vsock: { cid: 3, port: 1 } }, false],
    ['tcpSocket', { kind: 'tcpSocket', port: 443 }, false],
  ];
  it.each(ROWS)('%s', (_name, check, is) => {
    expect(usesTls(check)).toBe(is);
  });
});
