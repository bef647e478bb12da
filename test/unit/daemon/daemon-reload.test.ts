import { copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'undici';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { freePort } from '../../fixtures/ports.js';
import { runCommandLine } from '../cli/in-process.js';
import { startCli } from '../cli/run-cli.js';
import { PATIENCE, place, ready, start } from './real-daemon.js';

const CERTS = fileURLToPath(new URL('../../fakes/certs', import.meta.url));
const GROUP = 65_533;

function eventsOf(socketPath: string) {
  const client = new Client('http://localhost', { socketPath });
  onTestFinished(() => client.destroy());
  let text = '';
  let isOver = false;
  const ready = client.request({ method: 'GET', path: '/v1/events' }).then(({ body }) => {
    body.on('data', (chunk: Buffer) => {
      text += chunk;
    });
    body
      .once('error', () => {})
      .once('close', () => {
        isOver = true;
      });
  });
  return { ready, text: () => text, isOver: () => isOver };
}

describe('a reload', { timeout: 240_000 }, () => {
  it('applies api and notifications, whole or not at all, and who listens goes on', async () => {
    const isRoot = process.geteuid?.() === 0;
    const here = place();
    const tell = (...args: string[]) => runCommandLine([...args, '--socket', here.socket]);
    const [certificate, key] = [join(here.dir, 'tls.pem'), join(here.dir, 'tls.key')];
    copyFileSync(join(CERTS, 'good.pem'), certificate);
    copyFileSync(join(CERTS, 'good.key.pem'), key);
    const [port, other] = [await freePort(), await freePort()];
    const configure = (at: number | undefined, channel: string, more = '') => {
      const listen =
        at === undefined
          ? ''
          : `  listen: {address: '127.0.0.1:${at}', certificate: ${certificate}, key: ${key}}\n`;
      const group = isRoot ? `  socketGroup: '${GROUP}'\n` : '';
      writeFileSync(
        here.config,
        `api:\n  access: {read: ['${GROUP}']}\n${group}${listen}notifications:\n  channels: [{name: ${channel}, exec: {argv: [/bin/true]}}]\n${more}`,
      );
    };
    await start(here);
    const events = eventsOf(here.socket);
    await events.ready;
    const { stdout: token } = await tell('token', 'create', 'ci', '--scope', 'read');
    const ca = readFileSync(join(CERTS, 'ca.pem'));
    const askBy = async (at: number) => {
      const client = new Client(`https://127.0.0.1:${at}`, { connect: { ca } });
      try {
        const headers = { 'x-api-key': token.trim() };
        const { statusCode, body } = await client.request({ method: 'GET', path: '/v1/status', headers });
        await body.dump();
        return statusCode;
      } finally {
        await client.destroy();
      }
    };

    configure(port, 'one');
    const first = await tell('reload');
    expect(first).toMatchObject({ status: 0 });
    expect(first.stdout).not.toContain('restart');
    expect(await askBy(port)).toBe(200);
    if (isRoot) expect(statSync(here.socket).gid).toBe(GROUP);
    expect(statSync(here.socket).mode & 0o777).toBe(0o660);
    expect((await tell('notify', 'list')).stdout).toContain('one');

    // The address of the second is taken: nothing of it holds.
    const taken = place(`metrics:\n  listen: 127.0.0.1:${other}\n`);
    await start(taken);
    configure(other, 'two');
    const refused = await tell('reload');
    expect(refused).toMatchObject({
      status: 75,
      stderr: expect.stringContaining(`127.0.0.1:${other} is taken`),
    });
    expect(await askBy(port)).toBe(200);
    const { stdout: former } = await tell('notify', 'list');
    expect(former).toContain('one');
    expect(former).not.toContain('two');
    expect((await tell('status')).stdout).toMatch(/! configuration: .*is taken/);

    // What cannot change without a restart is said.
    configure(undefined, 'two', 'engine: {threads: 2}\n');
    const last = await tell('reload');
    expect(last.stdout).toContain('! engine.threads changed: it holds after a restart of the daemon\n');
    expect(last.stdout).not.toMatch(/! (api|notifications)/);
    await expect(askBy(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect((await tell('notify', 'list')).stdout).toContain('two');
    expect(events.isOver()).toBe(false);
    await tell('recovery', 'hold', '--reason', 'still heard');
    await vi.waitFor(() => expect(events.text()).toContain('still heard'), PATIENCE);
  });

  it('says what the daemon keeps until a restart, and config show what it uses', async () => {
    const here = place();
    const [state, run] = [join(here.dir, 'state'), join(here.dir, 'run')];
    writeFileSync(here.config, `stateDir: ${state}\n`);
    await ready(startCli(['run', '--config', here.config, '--run-dir', run]));
    const tell = (...args: string[]) => runCommandLine([...args, '--socket', here.socket]);
    const { stdout } = await tell('config', 'show', '--json');
    const { settings } = JSON.parse(stdout);
    expect(settings).toContainEqual({ path: 'runDir', value: run, origin: 'command line' });
    expect(settings).toContainEqual({ path: 'socket', value: here.socket, origin: 'default' });
    expect(settings).toContainEqual({ path: 'stateDir', value: state, origin: `${here.config}:1:11` });
    writeFileSync(here.config, `stateDir: ${join(here.dir, 'other')}\nsocket: ${join(here.dir, 'x.sock')}\n`);
    const told = await tell('reload');
    for (const name of ['stateDir', 'socket'])
      expect(told.stdout).toContain(`! ${name} changed: it holds after a restart of the daemon\n`);
    expect(existsSync(join(here.dir, 'other'))).toBe(false);
  });
});
