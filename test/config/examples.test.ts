import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { loadConfig } from '../../src/config/index.js';

it('the examples load as a whole, without a warning', async () => {
  const path = fileURLToPath(new URL('../../examples/config.yaml', import.meta.url));
  const { vms, warnings, config } = await loadConfig(path, { hostName: 'test-host' });
  expect(warnings).toEqual([]);
  expect(config.metrics.listen).toEqual({ host: '127.0.0.1', port: 9810 });
  expect(vms.map(({ id }) => id)).toEqual([
    'default/rhel-watchdog',
    'example-namespace/fedora-agent',
    'example-namespace/fedora-ch',
    'example-namespace/fedora-http',
    'example-namespace/fedora-tcp',
    'example-namespace/function-1',
    'example-namespace/shop',
  ]);
});
