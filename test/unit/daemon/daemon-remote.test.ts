import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { freePort } from '../../fixtures/ports.js';
import { runCli } from '../cli/run-cli.js';
import { ask, place, start } from './real-daemon.js';

const CERTS = fileURLToPath(new URL('../../fakes/certs', import.meta.url));
const CA = join(CERTS, 'ca.pem');

describe('a daemon that is also reached by TCP', { timeout: 240_000 }, () => {
  it('takes commands of the command line with a token, over TLS, until that is revoked', async () => {
    const port = await freePort();
    const here = place();
    const [certificate, key] = [join(here.dir, 'tls.pem'), join(here.dir, 'tls.key')];
    copyFileSync(join(CERTS, 'good.pem'), certificate);
    copyFileSync(join(CERTS, 'good.key.pem'), key);
    writeFileSync(
      here.config,
      `api:\n  listen:\n    address: 127.0.0.1:${port}\n    certificate: ${certificate}\n    key: ${key}\n`,
    );
    await start(here);
    const made = await ask(here, 'token', 'create', 'laptop', '--scope', 'operate', '--expires', '1h');
    expect(made).toMatchObject({ status: 0, stdout: expect.stringMatching(/^vmp_[A-Za-z0-9_-]{43}\n$/) });
    const tokenFile = join(here.dir, 'token');
    writeFileSync(tokenFile, made.stdout);
    const remote = ['--url', `https://127.0.0.1:${port}`, '--token-file', tokenFile];
    const asked = await runCli(['status', '--json', ...remote, '--ca', CA]);
    expect(asked.stderr).toBe('');
    expect(JSON.parse(asked.stdout)).toMatchObject({ vms: [] });
    const token = { VMPULSE_TOKEN: made.stdout.trim(), VMPULSE_URL: `https://127.0.0.1:${port}` };
    expect(await runCli(['recovery', 'hold', '--reason', 'r', '--ca', CA], token)).toMatchObject({
      status: 0,
    });
    expect((await ask(here, 'intent', 'list')).stdout).toContain('token:laptop (says ');
    expect(await runCli(['reload', ...remote, '--ca', CA])).toMatchObject({
      status: 77,
      stderr: expect.stringContaining('token:laptop has operate'),
    });
    expect(await runCli(['status', ...remote])).toMatchObject({
      status: 69,
      stderr: expect.stringContaining('--ca'),
    });
    // Files that do not fit are told, and change nothing.
    copyFileSync(join(CERTS, 'wrong-name.pem'), certificate);
    expect(await ask(here, 'reload')).toMatchObject({
      status: 78,
      stderr: expect.stringContaining('do not fit'),
    });
    expect(await runCli(['status', ...remote, '--ca', CA])).toMatchObject({ status: 0 });
    expect((await ask(here, 'token', 'list')).stdout).toMatch(/laptop +operate +20\d\d-/);
    expect(await ask(here, 'token', 'revoke', 'laptop')).toMatchObject({ status: 0 });
    expect(await runCli(['status', ...remote, '--ca', CA])).toMatchObject({ status: 77 });
  });

  it('is not asked without TLS', async () => {
    expect(await runCli(['status', '--url', 'http://127.0.0.1:1'])).toMatchObject({
      status: 64,
      stderr: expect.stringContaining('https://'),
    });
  });
});
