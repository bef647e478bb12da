import { describe, expect, it, onTestFinished } from 'vitest';
import { prometheusProgram } from '../../../scripts/lib/prometheus.mjs';
import { createMetrics } from '../../../src/runtime/metrics/metrics.js';
import { push, startPrometheus } from './prometheus.js';
import { host, source, statsTimes, vm } from './source.js';

/** Written as the runbooks of the systems that vmpulse replaces have them. */
const QUERIES = {
  failures: 'rate(vm_health_check_failed[5m])',
  successShare: '1-rate(vm_health_check_failed[5m])/rate(vm_health_checks_total[5m])',
  notSynced: 'virt_platform_compliance_status == 0',
  thrashing: 'virt_platform_thrashing_total',
  missing: 'virt_platform_missing_dependency == 1',
  customized: 'virt_platform_customization_info',
  duration: 'histogram_quantile(0.99, rate(virt_platform_reconcile_duration_seconds_bucket[5m]))',
  paused: 'kubevirt_autopilot_paused_resources > 0',
};

const missing = prometheusProgram('prometheus') === undefined;

describe.skipIf(missing)(
  'queries of older runbooks in a real Prometheus (needs node scripts/setup.mjs --ci)',
  () => {
    it('have an answer, from metrics that were sent by remote write', async () => {
      const prometheus = await startPrometheus();
      const metrics = createMetrics({ seedNames: true });
      onTestFinished(() => metrics.close());
      const degradations = [{ what: 'kvm', why: 'w', sinceMs: 0 }];
      const vms = [
        vm('a/drifts', { compliant: false, customizations: ['patch'] }),
        vm('a/war', { paused: true }),
      ];
      let factor = 1;
      metrics.bind(
        source({
          engineStats: () => statsTimes(factor),
          vmFigures: () => vms,
          hostFigures: () => host({ degradations }),
        }),
      );
      const nowMs = Date.now();
      await push(metrics, prometheus.url, nowMs - 120_000);
      factor = 2;
      metrics.thrash('a/war');
      metrics.reconciled(0.2);
      await push(metrics, prometheus.url, nowMs - 1_000);
      const ask = async (name: keyof typeof QUERIES) => {
        const found = await prometheus.query(QUERIES[name]);
        return found.map(
          ({ metric, value }): Record<string, string | number> => ({ ...metric, value: Number(value[1]) }),
        );
      };
      const object = (name: string) => ({
        kind: 'VirtualMachine',
        name,
        namespace: 'a',
        instance: 'kvm-1',
        job: 'vmpulse',
      });
      const failures = await ask('failures');
      expect(failures).toHaveLength(2);
      expect(failures.find(({ kind }) => kind === 'httpGet')?.value).toBeGreaterThan(0);
      expect(await ask('successShare')).toContainEqual(
        expect.objectContaining({ kind: 'httpGet', value: expect.closeTo(0.91, 5) }),
      );
      expect(await ask('notSynced')).toEqual([expect.objectContaining({ ...object('drifts'), value: 0 })]);
      expect(await ask('thrashing')).toContainEqual(expect.objectContaining({ ...object('war'), value: 1 }));
      expect(await ask('missing')).toEqual([
        expect.objectContaining({ group: 'vmpulse.dev', version: 'v1', kind: 'kvm', value: 1 }),
      ]);
      expect(await ask('customized')).toEqual([
        expect.objectContaining({ ...object('drifts'), type: 'patch', value: 1 }),
      ]);
      expect(await ask('paused')).toEqual([expect.objectContaining({ ...object('war'), value: 1 })]);
      const [duration] = await ask('duration');
      expect(duration).toMatchObject({ kind: 'Configuration', name: 'vmpulse' });
      expect(duration?.value).toBeLessThanOrEqual(0.5);
    });
  },
);
