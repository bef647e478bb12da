import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MINUTE = 60_000;

/** Uses the installed package as a host program would: the engine probes, the kernel addon answers. */
const PROGRAM = `
import { ProbeEngine } from 'vmpulse';
import { createPolicy } from 'vmpulse/policy';
const engine = new ProbeEngine({ engine: 'native' });
const { outcome } = await engine.probeOnce(
  { kind: 'tcpSocket', endpoint: { ip: '127.0.0.1', port: Number(process.argv[2]) }, close: 'rst' },
  { timeoutMs: 5000 },
);
await engine.close();
console.log(JSON.stringify({ outcome, backend: engine.backend, policy: typeof createPolicy }));
`;
const REQUIRING = `const { VmpulseError, ProbeEngine } = require('vmpulse'); console.log(typeof VmpulseError, typeof ProbeEngine);`;

let dir: string;
let tarball: string;

function npm(args: string[], cwd: string, path = process.env.PATH ?? ''): string {
  return execFileSync('npm', args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, PATH: path, VMPULSE_SKIP_PREPARE: '1' },
  });
}

/** A PATH with node and npm and nothing that could compile. */
function pathWithoutCompilers(): string {
  const bin = mkdtempSync(join(dir, 'bin-'));
  for (const name of ['node', 'npm', 'sh', 'env']) {
    symlinkSync(execFileSync('which', [name], { encoding: 'utf8' }).trim(), join(bin, name));
  }
  return bin;
}

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'vmpulse-pack-'));
  npm(['pack', '--pack-destination', dir], ROOT);
  tarball = join(dir, readdirSync(dir).find((name) => name.endsWith('.tgz')) ?? 'no tarball');
}, MINUTE);

afterAll(() => rmSync(dir, { recursive: true }));

describe('the package', () => {
  it('installs in an empty folder without compilers, and works', { timeout: 3 * MINUTE }, async () => {
    const home = mkdtempSync(join(dir, 'user-'));
    writeFileSync(join(home, 'package.json'), '{"type":"module"}');
    const path = pathWithoutCompilers();
    npm(['install', '--no-audit', '--no-fund', tarball], home, path);
    writeFileSync(join(home, 'program.mjs'), PROGRAM);
    writeFileSync(join(home, 'requiring.cjs'), REQUIRING);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    try {
      const run = (args: string[]) =>
        execFileSync(join(path, 'node'), args, { cwd: home, encoding: 'utf8', env: { PATH: path } });
      expect(JSON.parse(run(['program.mjs', String(address.port)]))).toEqual({
        outcome: { result: 'ok' },
        backend: 'native',
        policy: 'function',
      });
      expect(run(['requiring.cjs']).trim()).toBe('function function');
      expect(run([join('node_modules', '.bin', 'vmpulse'), '--version'])).toMatch(/^\d+\.\d+\.\d+\n$/);
    } finally {
      server.close();
    }
  });

  it('is published as its own fields say', () => {
    expect(() =>
      execFileSync('npx', ['publint', '--strict', tarball], { cwd: ROOT, stdio: 'pipe' }),
    ).not.toThrow();
  });
});
