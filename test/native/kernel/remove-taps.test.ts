import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const DIST = fileURLToPath(new URL('../../../dist/', import.meta.url));
const SCRIPT = `
import { removeTaps } from '${DIST}lifecycle/remove-taps.js';
import { createTap, linkInfo } from '${DIST}kernel/index.js';
createTap('tap-own');
createTap('tap-others');
const tap = (device, create) => ({ type: 'tap', device, create });
const interfaces = [tap('tap-own', true), tap('tap-others', false), tap('tap-gone', true), tap('lo', true)];
const removed = removeTaps({ hypervisor: { interfaces } });
const left = ['tap-own', 'tap-others', 'lo'].filter((name) => linkInfo(name) !== undefined);
console.log(JSON.stringify({ removed, left }));
`;

describe.skipIf(process.getuid?.() !== 0)('TAP devices of a VM that is deleted (skipped: not root)', () => {
  it('are removed where vmpulse made them, and others stay', () => {
    const argv = ['--net', process.execPath, '--input-type=module', '-e', SCRIPT];
    const { status, stdout, stderr } = spawnSync('unshare', argv, { encoding: 'utf8', timeout: 20_000 });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ removed: ['tap-own'], left: ['tap-others', 'lo'] });
  });
});
