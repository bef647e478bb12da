import { describe, expect, it, onTestFinished } from 'vitest';
import { createMetrics } from '../../../src/runtime/metrics/metrics.js';
import { host, linesOf, source, vm } from './source.js';

const VMS = [
  vm('a/drifts', { compliant: false, customizations: ['ignore-fields', 'patch'] }),
  vm('a/paused', { paused: true, customizations: ['unmanaged'] }),
];

async function scrape(seedNames: boolean): Promise<string[]> {
  const metrics = createMetrics({ seedNames });
  onTestFinished(() => metrics.close());
  const degradations = [{ what: 'kvm', why: 'w', sinceMs: 0 }];
  metrics.bind(source({ vmFigures: () => VMS, hostFigures: () => host({ degradations }) }));
  metrics.thrash('a/paused');
  metrics.reconciled(0.2);
  return linesOf(metrics);
}

describe('seedNames', () => {
  it('are there only when asked for', async () => {
    expect((await scrape(false)).filter((line) => !line.startsWith('vmpulse_'))).toEqual([]);
  });

  it('have checks by kind, with labels that divide', async () => {
    expect((await scrape(true)).filter((line) => line.startsWith('vm_'))).toEqual([
      'vm_health_checks_total{kind="httpGet"} 100',
      'vm_health_checks_total{kind="tcpSocket"} 20',
      'vm_health_check_failed{kind="httpGet"} 9',
      'vm_health_check_failed{kind="tcpSocket"} 0',
    ]);
  });

  it.each([
    'virt_platform',
    'kubevirt_autopilot',
  ])('have %s_* with labels and values of old', async (prefix) => {
    const found = await scrape(true);
    const object = (name: string) => `kind="VirtualMachine",name="${name}",namespace="a"`;
    expect(found).toEqual(
      expect.arrayContaining([
        `${prefix}_compliance_status{${object('drifts')}} 0`,
        `${prefix}_compliance_status{${object('paused')}} 1`,
        `${prefix}_thrashing_total{${object('drifts')}} 0`,
        `${prefix}_thrashing_total{${object('paused')}} 1`,
        `${prefix}_customization_info{${object('drifts')},type="ignore"} 1`,
        `${prefix}_customization_info{${object('drifts')},type="patch"} 1`,
        `${prefix}_customization_info{${object('paused')},type="unmanaged"} 1`,
        `${prefix}_paused_resources{${object('paused')}} 1`,
        `${prefix}_missing_dependency{group="vmpulse.dev",version="v1",kind="kvm"} 1`,
        `${prefix}_missing_dependency{group="vmpulse.dev",version="v1",kind="engine"} 0`,
        `${prefix}_reconcile_duration_seconds_bucket{le="0.5",kind="Configuration",name="vmpulse",namespace=""} 1`,
        `${prefix}_reconcile_duration_seconds_count{kind="Configuration",name="vmpulse",namespace=""} 1`,
      ]),
    );
  });
});
