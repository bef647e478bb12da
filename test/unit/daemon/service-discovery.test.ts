import { describe, expect, it } from 'vitest';
import { targetGroups } from '../../../src/daemon/service-discovery.js';
import { vmView } from './fake-runtime.js';

const VMS = [
  vmView('default/web-1', { labels: { 'app.kubernetes.io/name': 'web' } }),
  vmView('lab/db', { ready: false, health: 'unhealthy', address: '2001:db8::7', endpoint: null }),
  vmView('lab/no-address', { address: null, endpoint: null }),
];

describe('service discovery of Prometheus', () => {
  it('has the port of the readiness probe, the labels under __meta_vmpulse_, and leaves out who has no port', () => {
    expect(targetGroups(VMS, {})).toEqual([
      {
        targets: ['192.0.2.7:8080'],
        labels: {
          __meta_vmpulse_namespace: 'default',
          __meta_vmpulse_vm: 'web-1',
          __meta_vmpulse_health: 'healthy',
          __meta_vmpulse_ready: 'true',
          __meta_vmpulse_label_app_kubernetes_io_name: 'web',
        },
      },
    ]);
  });

  it('takes another port, of all VMs with an address or of those that are ready', () => {
    const targets = (query: object) => targetGroups(VMS, query).flatMap((group) => group.targets);
    expect(targets({ port: '9100' })).toEqual(['192.0.2.7:9100', '[2001:db8::7]:9100']);
    expect(targets({ port: '9100', ready: 'true' })).toEqual(['192.0.2.7:9100']);
    expect(targets({ port: '9100', ready: 'false' })).toHaveLength(2);
  });

  it.each([
    [{ port: '0' }, /port is a number/],
    [{ port: '9100/x' }, /port is a number/],
    [{ ready: 'yes' }, /ready is true or false/],
  ])('refuses %j', (query, message) => {
    expect(() => targetGroups(VMS, query)).toThrow(message);
  });
});
