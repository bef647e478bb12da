import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { NotifyWay, SmtpSettings } from '../../../src/model/notification.js';
import { sendBy } from '../../../src/notify/channels/registry.js';
import type { Message } from '../../../src/notify/message.js';
import { secretReader } from '../../../src/notify/secret.js';
import { Undelivered } from '../../../src/notify/undelivered.js';
import { testFolder } from '../../fixtures/folder.js';
import { Sink } from './sink.js';

const certs = new URL('../../fakes/certs/', import.meta.url);
const pem = (name: string) => readFileSync(new URL(`${name}.pem`, certs), 'utf8');
const caFile = fileURLToPath(new URL('ca.pem', certs));
const tls = { key: pem('good.key'), cert: pem('good') };

function secretFile(text: string): string {
  const path = join(testFolder(), 'secret');
  writeFileSync(path, `${text}\n`, { mode: 0o600 });
  return path;
}

const secret = secretReader((name) => (name === 'TOKEN' ? 'fr0m-env' : undefined));

/** What a guest says is hostile: markup, mentions, a header of its own. */
const HOSTILE = 'exit 1: <!channel> <b>&"\'\\r\\nBcc: all@example.com';

function message(text = HOSTILE): Message {
  const notice = { kind: 'failure', severity: 'error', atMs: 1_700_000_000_000, text } as const;
  const incident = { id: 'vm:default/web-1@17', vm: 'default/web-1', isOver: false, notices: [notice] };
  return { host: 'kvm-3', severity: 'error', incidents: [incident], more: 0 };
}

function send(way: NotifyWay, more: { smtp?: SmtpSettings; message?: Message; timeoutMs?: number } = {}) {
  return sendBy(way, {
    id: 'id-1',
    atMs: 1_700_000_000_000,
    message: more.message ?? message(),
    smtp: more.smtp,
    secret,
    signal: AbortSignal.timeout(more.timeoutMs ?? 20_000),
  });
}

async function failure(promise: Promise<void>): Promise<Undelivered> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof Undelivered) return error;
  throw new Error(`no Undelivered: ${String(error)}`);
}

describe('a webhook', () => {
  it('is sent JSON with a bearer token and an idempotency key', async () => {
    const sink = await Sink.open();
    const way = {
      kind: 'webhook',
      url: `http://127.0.0.1:${sink.port}/hook`,
      token: { file: secretFile('t0ken') },
    } as const;
    await send(way);
    expect(sink.bodies).toMatchObject([
      { version: 1, id: 'id-1', host: 'kvm-3', severity: 'error', incidents: [{ vm: 'default/web-1' }] },
    ]);
    expect(sink.received[0]?.headers).toMatchObject({
      authorization: 'Bearer t0ken',
      'idempotency-key': 'id-1',
      'content-type': 'application/json',
    });
    await send({ ...way, token: { env: 'TOKEN' } });
    expect(sink.received[1]?.headers.authorization).toBe('Bearer fr0m-env');
    const unset = await failure(send({ ...way, token: { env: 'OTHER' } }));
    expect(unset.message).toBe('there is no secret in the variable OTHER');
  });

  it.each([
    [{ status: 500 }, { isFinal: false, retryAfterMs: undefined }],
    [
      { status: 429, headers: { 'retry-after': '7' } },
      { isFinal: false, retryAfterMs: 7000 },
    ],
    [{ status: 503 }, { isFinal: false }],
    [{ status: 400 }, { isFinal: true }],
    [{ status: 404 }, { isFinal: true }],
    [{ status: 302, headers: { location: 'http://127.0.0.1:1/' } }, { isFinal: true }],
    ['reset', { isFinal: false }],
  ] as const)('that answers %o fails as %o', async (answer, expected) => {
    const sink = await Sink.open();
    sink.answer = () => answer;
    const error = await failure(send({ kind: 'webhook', url: `http://127.0.0.1:${sink.port}/s3cret/path` }));
    expect(error).toMatchObject(expected);
    expect(error.message).toContain(`http://127.0.0.1:${sink.port}`);
    expect(error.message).not.toContain('s3cret');
    expect(sink.received).toHaveLength(1);
  });

  it('that does not answer is given up in time', async () => {
    const sink = await Sink.open();
    sink.answer = () => 'silent';
    const way = { kind: 'webhook', url: `http://127.0.0.1:${sink.port}/s3cret` } as const;
    const error = await failure(send(way, { timeoutMs: 500 }));
    expect(error.message).toBe(`http://127.0.0.1:${sink.port} cannot be reached: no answer in time`);
  });

  it('must have a certificate that is good', async () => {
    const sink = await Sink.open(tls);
    const url = `https://127.0.0.1:${sink.port}/`;
    await send({ kind: 'webhook', url, caFile });
    expect(sink.received).toHaveLength(1);
    expect((await failure(send({ kind: 'webhook', url }))).message).toMatch(/cannot be reached: [A-Z_]+$/);
    const wrong = await Sink.open({ key: pem('wrong-name.key'), cert: pem('wrong-name') });
    const named = { kind: 'webhook', url: `https://127.0.0.1:${wrong.port}/`, caFile } as const;
    expect((await failure(send(named))).message).toContain('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(wrong.received).toHaveLength(0);
  });
});

describe('Slack', () => {
  it('is sent text in which nothing is markup, to a URL that is secret', async () => {
    const sink = await Sink.open();
    const file = secretFile(`http://127.0.0.1:${sink.port}/services/T0/B0/s3cret`);
    await send({ kind: 'slack', url: { file } });
    expect(sink.received[0]?.url).toBe('/services/T0/B0/s3cret');
    const [body] = sink.bodies as [{ text: string; mrkdwn: boolean }];
    expect(body.mrkdwn).toBe(false);
    expect(body.text).toContain('&lt;!channel&gt; &lt;b&gt;&amp;');
    expect(body.text).not.toMatch(/[<>]/);
    sink.answer = () => ({ status: 403 });
    expect((await failure(send({ kind: 'slack', url: { file } }))).message).not.toContain('s3cret');
    writeFileSync(file, 'http://192.0.2.1/services/s3cret\n');
    expect((await failure(send({ kind: 'slack', url: { file } }))).message).not.toContain('s3cret');
    rmSync(file);
    expect((await failure(send({ kind: 'slack', url: { file } }))).message).toBe(
      `${file} cannot be read: ENOENT`,
    );
  });
});

interface Mail {
  readonly user: string | undefined;
  readonly secure: boolean;
  readonly to: readonly string[];
  readonly text: string;
}

/** A real mail server on loopback. */
async function mailServer(options: SMTPServerOptions = {}) {
  const mails: Mail[] = [];
  const server = new SMTPServer({
    ...tls,
    authOptional: false,
    onAuth: ({ username, password }, _session, done) =>
      password === 'p4ss' && username === 'vmpulse'
        ? done(null, { user: username })
        : done(new Error('Invalid username or password')),
    onData: (stream, session, done) => {
      let text = '';
      stream.setEncoding('utf8');
      stream.on('data', (part: string) => {
        text += part;
      });
      stream.on('end', () => {
        const to = session.envelope.rcptTo.map(({ address }) => address);
        mails.push({ user: session.user, secure: session.secure, to, text });
        done();
      });
    },
    ...options,
  });
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const address = server.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { mails, port };
}

const email = { kind: 'email', to: ['ops@example.com', 'admin@example.com'] } as const;

function smtp(port: number, more: Partial<SmtpSettings> = {}): SmtpSettings {
  return {
    host: '127.0.0.1',
    port,
    security: 'starttls',
    from: 'vmpulse@kvm-3.example.com',
    login: { user: 'vmpulse', password: { file: secretFile('p4ss') } },
    caFile,
    ...more,
  };
}

describe('mail', () => {
  it.each([
    ['starttls', {}],
    ['tls', { secure: true }],
  ] as const)('goes over %s with a login', async (security, options) => {
    const { mails, port } = await mailServer(options);
    await send(email, { smtp: smtp(port, { security }) });
    expect(mails).toHaveLength(1);
    expect(mails[0]).toMatchObject({ user: 'vmpulse', secure: true, to: email.to });
    const [head = '', ...body] = mails[0]?.text.split('\r\n\r\n') ?? [];
    expect(head).toMatch(/^From: vmpulse@kvm-3\.example\.com$/m);
    expect(head).toMatch(/^Message-ID: <id-1@vmpulse>$/m);
    expect(head).toMatch(/^References: <vm-default-web-1-17@vmpulse>$/m);
    expect(head).toMatch(/^Auto-Submitted: auto-generated$/m);
    // Lines are folded in transit.
    expect(body.join('\n').replaceAll('=\r\n', '')).toContain('&lt;!channel&gt; &lt;b&gt;&amp;');
  });

  it('has no header of a guest', async () => {
    const { mails, port } = await mailServer();
    const evil = message('down\r\nBcc: all@example.com\r\n\r\n<script>');
    await send(email, { smtp: smtp(port), message: evil });
    const [head = ''] = mails[0]?.text.split('\r\n\r\n') ?? [];
    expect(head).not.toMatch(/^Bcc:/im);
    expect(mails[0]?.to).toEqual(email.to);
    expect(mails[0]?.text).not.toMatch(/^Bcc:/im);
    expect(mails[0]?.text.split('text/html')[1]).not.toContain('<script>');
  });

  it('is not sent in the clear where TLS was asked for, nor to a server with another certificate', async () => {
    const plain = await mailServer({ hideSTARTTLS: true, disabledCommands: ['STARTTLS'] });
    expect(await failure(send(email, { smtp: smtp(plain.port) }))).toMatchObject({ isFinal: false });
    expect(plain.mails).toEqual([]);
    const wrong = await mailServer({ key: pem('self-signed.key'), cert: pem('self-signed') });
    expect(await failure(send(email, { smtp: smtp(wrong.port) }))).toMatchObject({ isFinal: false });
    expect(wrong.mails).toEqual([]);
  });

  it('is tried again after a wrong password, which is not told', async () => {
    const { port } = await mailServer();
    const login = { user: 'vmpulse', password: { file: secretFile('wr0ng-p4ssword') } };
    const error = await failure(send(email, { smtp: smtp(port, { login }) }));
    expect(error).toMatchObject({ isFinal: false });
    expect(error.message).toContain('Invalid username or password');
    expect(error.message).not.toContain('wr0ng');
  });

  it('is given up where the server refuses every address for good, and tried again where for now', async () => {
    let code = 550;
    const { port } = await mailServer({
      onRcptTo: (_address, _session, done) =>
        done(Object.assign(new Error('no such mailbox'), { responseCode: code })),
    });
    expect(await failure(send(email, { smtp: smtp(port) }))).toMatchObject({ isFinal: true });
    code = 451;
    expect(await failure(send(email, { smtp: smtp(port) }))).toMatchObject({ isFinal: false });
  });

  it('is sent where one address takes it, and tried again where one of those refused is so for now', async () => {
    const codes = new Map([
      ['ops@example.com', 0],
      ['admin@example.com', 451],
    ]);
    const { mails, port } = await mailServer({
      onRcptTo: ({ address }, _session, done) => {
        const code = codes.get(address);
        if (code === 0) done();
        else done(Object.assign(new Error('not now'), { responseCode: code }));
      },
    });
    await send(email, { smtp: smtp(port) });
    expect(mails).toMatchObject([{ to: ['ops@example.com'] }]);
    codes.set('ops@example.com', 550);
    expect(await failure(send(email, { smtp: smtp(port) }))).toMatchObject({ isFinal: false });
    codes.set('ops@example.com', 451).set('admin@example.com', 550);
    expect(await failure(send(email, { smtp: smtp(port) }))).toMatchObject({ isFinal: false });
    expect(mails).toHaveLength(1);
  });

  it('is tried again where nobody listens', async () => {
    const error = await failure(send(email, { smtp: smtp(1) }));
    expect(error).toMatchObject({ isFinal: false });
    expect(error.message).toMatch(/^127\.0\.0\.1:1: /);
  });

  it('goes to a server of this host without TLS and login where that is asked for', async () => {
    const { mails, port } = await mailServer({ authOptional: true, hideSTARTTLS: true });
    const { login: _, caFile: _ca, ...bare } = smtp(port, { security: 'none' });
    await send(email, { smtp: bare });
    expect(mails[0]).toMatchObject({ secure: false, to: email.to });
  });
});

describe('a program', () => {
  it('is given the message as JSON and in its environment', async () => {
    const dir = testFolder();
    const file = join(dir, 'notify');
    writeFileSync(file, `#!/bin/sh\ncat > ${dir}/json\necho "$VMPULSE_SUBJECT" > ${dir}/subject\n`);
    chmodSync(file, 0o755);
    await send({ kind: 'exec', argv: [file] });
    expect(JSON.parse(readFileSync(join(dir, 'json'), 'utf8'))).toMatchObject({ id: 'id-1', host: 'kvm-3' });
    expect(readFileSync(join(dir, 'subject'), 'utf8')).toMatch(
      /^\[vmpulse kvm-3\] error: default\/web-1: failure, /,
    );
    writeFileSync(file, '#!/bin/sh\necho no pager >&2\nexit 3\n');
    expect((await failure(send({ kind: 'exec', argv: [file] }))).message).toBe('exit status 3: no pager');
    writeFileSync(file, '#!/bin/sh\nsleep 60\n');
    const late = await failure(send({ kind: 'exec', argv: [file] }, { timeoutMs: 500 }));
    expect(late.message).toBe('the program did not end in time');
    chmodSync(file, 0o777);
    expect((await failure(send({ kind: 'exec', argv: [file] }))).message).toContain(
      'can be written by others',
    );
  });

  it('that does not even end when it is killed is left behind', async () => {
    const file = join(testFolder(), 'notify');
    writeFileSync(file, '#!/bin/sh\nexec sleep 60\n');
    chmodSync(file, 0o755);
    // As if it hung in the kernel: no signal reaches it.
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    const late = await failure(send({ kind: 'exec', argv: [file] }, { timeoutMs: 2_000 }));
    const [group = 0] = kill.mock.calls[0] ?? [];
    kill.mockRestore();
    process.kill(group, 'SIGKILL');
    expect(late.message).toBe('the program did not end in time');
  });
});
