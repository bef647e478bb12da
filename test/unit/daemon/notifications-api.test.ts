import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../src/model/clock.js';
import { Notifier } from '../../../src/notify/notifier.js';
import { secretReader } from '../../../src/notify/secret.js';
import { testFolder } from '../../fixtures/folder.js';
import { runCommandLine } from '../cli/in-process.js';
import { Sink } from '../notify/sink.js';
import { FakeRuntime } from './fake-runtime.js';
import { serve } from './helpers.js';

/** The API and its command line over a real notifier. */
async function withNotifier(sink: Sink) {
  const notifier = new Notifier({
    settings: {
      groupMs: 50,
      perHour: 60,
      channels: [
        {
          name: 'tickets',
          level: 'errors',
          vms: ['lab/*'],
          way: { kind: 'webhook', url: `http://127.0.0.1:${sink.port}/s3cret` },
        },
      ],
    },
    stateDir: testFolder(),
    host: 'host-1',
    runtime: new FakeRuntime(),
    clock: systemClock,
    secret: secretReader(() => undefined),
    degrade: () => {},
    mend: () => {},
    record: async () => {},
    onDelivery: () => {},
    onOpened: () => {},
    onRemoved: () => {},
  });
  onTestFinished(() => notifier.close());
  await notifier.start();
  const served = await serve({ notifier });
  const run = (...args: string[]) => runCommandLine(['--socket', served.socket, 'notify', ...args]);
  return { ...served, run };
}

describe('notifications', () => {
  it('are listed, tried, added and removed from the command line, without a secret', async () => {
    const sink = await Sink.open();
    const { run } = await withNotifier(sink);
    const url = `http://127.0.0.1:${sink.port}/services/s3cret`;
    expect(await run('test')).toMatchObject({
      status: 0,
      stdout: `tickets: sent, http://127.0.0.1:${sink.port}\n`,
    });
    expect(await run('add', 'chat', '--slack', url, '--vm', 'default/web-1')).toMatchObject({
      status: 0,
      stdout: 'added chat; try it with vmpulse notify test chat\n',
    });
    const { stdout } = await run('list');
    expect(stdout).toMatch(/^CHANNEL +KIND +TARGET +LEVEL +VMS +WAITING +TROUBLE\n/);
    expect(stdout).toMatch(/\ntickets +webhook +http:\/\/127\.0\.0\.1:\d+ +errors +lab\/\* +0 +-\n/);
    expect(stdout).toMatch(/\nchat +slack +URL in \S+ +warnings +default\/web-1 +0 +-\n/);
    expect(stdout + (await run('list', '--json')).stdout).not.toContain('s3cret');
    sink.answer = () => ({ status: 404 });
    expect(await run('test', 'chat')).toMatchObject({
      status: 1,
      stdout: `chat: failed, http://127.0.0.1:${sink.port} answered with status 404\n`,
    });
    expect(await run('remove', 'chat')).toMatchObject({ status: 0, stdout: 'removed chat\n' });
    expect(await run('remove', 'tickets')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/no channel tickets was added/),
    });
    expect(await run('test', 'nobody')).toMatchObject({ status: 1 });
    expect(await run('add', 'x', '--webhook', url, '--level', 'loud')).toMatchObject({
      status: 64,
      stderr: expect.stringMatching(
        /'loud' is invalid\. Allowed choices are all, warnings, errors, critical/,
      ),
    });
  });

  it('refuse a channel that is not clear', async () => {
    const { post } = await withNotifier(await Sink.open());
    for (const [body, message] of [
      [{ name: 'x' }, 'a channel tells by one way'],
      [{ name: 'x', webhook: 'https://a.example/', slack: 'https://b.example/' }, 'by one way'],
      [{ name: '../x', webhook: 'https://a.example/' }, 'is not the name of a channel'],
      [{ name: 'x', webhook: 'http://a.example/' }, 'is not a URL that may be used'],
      [{ name: 'x', webhook: 'https://user:p4ssword@a.example/' }, 'is not a URL that may be used'],
      [{ name: 'x', email: ['a@example.com\r\nBcc: b@example.com'] }, 'is not a mail address'],
      [{ name: 'x', email: ['a@example.com'] }, 'notifications.smtp'],
      [{ name: 'tickets', webhook: 'https://a.example/' }, 'a channel tickets already'],
    ] as const) {
      const { status, text } = await post('/v1/notifications/add', { ...body, author: 'ann@1000' });
      expect(status).toBe(400);
      expect(text).toContain(message);
      expect(text).not.toContain('p4ssword');
    }
  });
});
