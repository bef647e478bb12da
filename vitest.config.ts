import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Real VMs and native teardown need processes of their own; two cores carry two of them.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Real VMs boot on shared cores: one starved run is tried again, and the report says so.
    retry: 1,
  },
});
