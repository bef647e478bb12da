import { describe, expect, it } from 'vitest';
import { EventSession } from '../../../src/engine/portable/channel/event-session.js';
import { encodeRequest } from '../../../src/engine/portable/channel/request.js';
import { RestSession } from '../../../src/engine/portable/channel/rest-session.js';
import { restStateOutcome } from '../../../src/engine/portable/channel/run-state.js';
import type { Session, SessionMessage } from '../../../src/engine/portable/channel/session.js';
import type { Fault } from '../../../src/engine/portable/fault.js';

function feed(session: Session, text: string, step: number): [SessionMessage[], Fault | undefined] {
  const messages: SessionMessage[] = [];
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += step) {
    const wrong = session.onBytes(bytes.subarray(at, at + step), messages);
    if (wrong !== undefined) return [messages, wrong];
  }
  return [messages, undefined];
}

function asked(): RestSession {
  const session = new RestSession('vmpulse/test');
  session.send(7, { execute: 'GET /' });
  session.pull();
  return session;
}

function response(status: string, body: string): string {
  return `HTTP/1.1 ${status}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

describe('an API', () => {
  it('is sent a body only with arguments', () => {
    const session = new RestSession('vmpulse/test');
    session.send(1, { execute: 'PUT /api/v1/vm.boot' });
    expect(session.pull().toString()).toBe(
      'PUT /api/v1/vm.boot HTTP/1.1\r\nHost: localhost\r\nUser-Agent: vmpulse/test\r\nAccept: application/json\r\n\r\n',
    );
    const next = new RestSession('vmpulse/test');
    next.send(1, { execute: 'PATCH /vm', arguments: { state: 'Paused' } });
    expect(next.pull().toString()).toContain('Content-Length: 18\r\n\r\n{"state":"Paused"}');
  });

  it.each([
    'vm.info',
    'GET',
    'get /',
    'GET vm',
    'BREW /',
    'GET /a b',
    'GET /a\r\nX: y',
    'GET /#x',
  ])('is not sent %j', (command) => {
    expect(encodeRequest('firecracker', command, undefined)).toBeUndefined();
  });

  it.each([
    [
      response('200 OK', ' {"state": "Running"} '),
      { type: 'return', id: 7, value: { status: 200, body: { state: 'Running' } } },
    ],
    ['HTTP/1.1 204 \r\nServer: x\r\n\r\n', { type: 'return', id: 7, value: { status: 204, body: null } }],
    [
      `HTTP/1.1 100 Continue\r\n\r\n${response('404 Not Found', '["Error from API","no VM"]')}`,
      { type: 'error', id: 7, class: 'http-404', description: 'Error from API: no VM' },
    ],
    [
      response('400 Bad Request', '{"fault_message":"no\\u001b[2J"}'),
      { type: 'error', id: 7, class: 'http-400', description: 'no\\x1b[2J' },
    ],
    [response('500 Oh', 'text\n'), { type: 'error', id: 7, class: 'http-500', description: 'text' }],
  ])('answers, whatever the pieces: case %#', (text, expected) => {
    for (const step of [1, 3, text.length]) {
      const session = asked();
      expect(feed(session, text, step)).toEqual([[{ type: 'ready' }, expected], undefined]);
      expect(session).toMatchObject({ isReady: true, isReplaceable: true, isStuck: false });
    }
  });

  it('that sends something else is at fault', () => {
    const deep = `{"a":${'['.repeat(200)}${']'.repeat(200)}}`;
    const cases = [
      ['SSH-2.0-OpenSSH\r\n', 'protocol-error'],
      [response('200 OK', 'hello'), 'protocol-error'],
      [response('200 OK', deep), 'protocol-error'],
      [response('200 OK', 'x'.repeat(4 * 1024 * 1024 + 1)), 'response-too-large'],
      [response('503 Full', '{ "error": "Too many open connections" }'), 'channel-busy'],
    ] as const;
    for (const [text, reason] of cases) {
      const [, wrong] = feed(asked(), text, 64 * 1024);
      expect(wrong?.reason, text.slice(0, 40)).toBe(reason);
    }
    const [, unasked] = feed(new RestSession('x'), response('200 OK', '{}'), 100);
    expect(unasked?.reason).toBe('protocol-error');
  });

  it('drops the answer that nobody waits for before it is asked again', () => {
    const session = asked();
    session.forget(7);
    expect(session).toMatchObject({ isReady: false, isStuck: true });
    expect(feed(session, response('200 OK', '{}'), 100)).toEqual([[{ type: 'ready' }], undefined]);
    expect(session.isReady).toBe(true);
  });

  it('that closes is asked no more on that connection', () => {
    const session = asked();
    feed(session, 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}rubbish', 100);
    expect(session).toMatchObject({ isSpent: true, isReady: false });
    const other = asked();
    feed(other, 'HTTP/1.0 200 OK\r\n\r\n{}', 100);
    const messages: SessionMessage[] = [];
    expect(other.onEnd(messages)).toBeUndefined();
    expect(messages.at(-1)).toMatchObject({ value: { status: 200, body: {} } });
  });
});

describe('the state that an API says', () => {
  const judge = (state: unknown) => restStateOutcome({ status: 200, body: { state } });

  it.each(['Created', 'Shutdown', 'Not started'])('%s: not running', (state) => {
    expect(judge(state)).toEqual({ result: 'failed', reason: 'vm-not-running' });
  });

  it.each(['Paused', 'BreakPoint', 'Dreaming'])('%s: on purpose', (state) => {
    expect(judge(state)).toEqual({ result: 'inconclusive', reason: 'suspended' });
  });

  it('Running is ok, and none is an error', () => {
    expect(judge('Running')).toEqual({ result: 'ok' });
    expect(judge(1)).toEqual({ result: 'failed', reason: 'api-error' });
    expect(restStateOutcome({ status: 204, body: null })).toEqual({ result: 'failed', reason: 'api-error' });
  });
});

describe('a stream of events', () => {
  it('is read whatever the pieces, and loses what is damaged and no more', () => {
    const event = (name: string) =>
      `${JSON.stringify({ timestamp: { secs: 0, nanos: 1 }, source: 'vm', event: name, properties: null }, undefined, 2)}\n\n`;
    const large = JSON.stringify({ source: 'x', event: 'y', properties: 'z'.repeat(100_000) });
    const stream = `${event('one')}${event('cut').slice(0, 40)}\n\n${large}\n\n${event('two')}`;
    for (const step of [1, 7, 4096, stream.length]) {
      const [messages] = feed(new EventSession(), stream, step);
      const told = messages.map((message) => (message.type === 'event' ? message.name : message.type));
      expect(told, `by ${step}`).toEqual(['vm.one', 'eventLost', 'eventLost', 'vm.two']);
    }
  });
});
