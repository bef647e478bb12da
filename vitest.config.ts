import { defineConfig } from 'vitest/config';

/**
 * Tests that leave nothing behind in their process (no mocked module, no changed environment): one serves many of them, and
 * loads the sources once.
 */
const TIDY = [
  'config',
  'unit/{cli,cloud-hypervisor,daemon,discovery,doctor,firecracker,guest-agent,images,journal,libvirt}',
  'unit/{lifecycle,metrics,network,notify,policy,probes,recovery,runtime,sim}',
].map((folder) => `test/${folder}/**/*.test.ts`);

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: 'tidy', isolate: false, include: TIDY } },
      { extends: true, test: { name: 'alone', include: ['test/**/*.test.ts'], exclude: TIDY } },
    ],
    expect: { requireAssertions: true },
    // Real VMs and native teardown need processes of their own; two cores carry two of them.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Real VMs boot on shared cores: one starved run is tried again, and the report says so.
    retry: 1,
  },
});
