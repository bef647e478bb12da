import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { ProbeEngine } from '../../../src/engine/index.js';
import { loadNativeModule } from '../../../src/engine/native-module.js';
import type { TargetCheck } from '../../../src/engine/probe-engine.js';
import { VmpulseError } from '../../../src/model/errors.js';
import { testFolder } from '../../fixtures/folder.js';

function errorOf(call: () => unknown): VmpulseError {
  try {
    call();
  } catch (error) {
    if (error instanceof VmpulseError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** The compiler wants every kind of the engine's contract here, and no other. */
const KINDS: Record<TargetCheck['kind'], true> = {
  tcpSocket: true,
  tcpHalfOpen: true,
  icmp: true,
  arp: true,
  ndp: true,
  httpGet: true,
  tcpExchange: true,
  grpc: true,
  vsock: true,
  guestAgentPing: true,
  vmState: true,
  vmmProcess: true,
  external: true,
};

it('the tables of the addon are those of the model', () => {
  const native = loadNativeModule();
  expect([...native.kinds].sort()).toEqual(Object.keys(KINDS).sort());
  expect(native.durationBounds).toEqual([...native.durationBounds].sort((a, b) => a - b));
});

it('a path that cannot be loaded is named with the reason', () => {
  const missing = join(testFolder(), 'engine.node');
  const error = errorOf(() => new ProbeEngine({ engine: 'native', addonPath: missing }));
  expect(error.code).toBe('ERR_VMPULSE_NATIVE');
  expect(error.message).toContain(`${missing}: no such file`);
  writeFileSync(missing, 'not a library');
  const broken = errorOf(() => new ProbeEngine({ engine: 'native', addonPath: missing }));
  expect(broken.message).toMatch(/invalid ELF header|file too short/);
});

it('a file of choice is loaded', () => {
  const { path } = loadNativeModule();
  const copy = join(testFolder(), 'engine.node');
  copyFileSync(path, copy);
  expect(loadNativeModule(copy).path).toBe(copy);
  expect(path.startsWith(fileURLToPath(new URL('../../../', import.meta.url)))).toBe(true);
});
