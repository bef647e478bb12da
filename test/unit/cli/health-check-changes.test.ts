import { describe, expect, it } from 'vitest';
import { healthCheckChanges } from '../../../src/cli/health-check-changes.js';

const VM = 'lab/web';
const set = (path: string, value: unknown) => ({ path, value, origin: 'documents' });
const SETTINGS = [
  set('readinessProbe.enabled', true),
  set('readinessProbe.httpGet', { port: 80 }),
  set('probes.agent.enabled', true),
  set('probes.agent.guestAgentPing', {}),
  set('probes.alive.enabled', true),
  set('probes.alive.vmmProcess', {}),
  set('probes.monitor.enabled', true),
  set('probes.monitor.vmState', {}),
  set('recovery.enabled', true),
];

describe('a health check that is switched off', () => {
  it('leaves what tells whether there is a VM, under whatever name', () => {
    expect(healthCheckChanges(VM, SETTINGS, { enabled: false })).toEqual([
      { vm: VM, path: 'readinessProbe.enabled', value: false },
      { vm: VM, path: 'probes.agent.enabled', value: false },
    ]);
  });

  it('is what was named alone', () => {
    expect(healthCheckChanges(VM, SETTINGS, { probe: 'monitor', enabled: false })).toEqual([
      { vm: VM, path: 'probes.monitor.enabled', value: false },
    ]);
  });
});
