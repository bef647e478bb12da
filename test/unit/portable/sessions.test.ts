import { describe, expect, it } from 'vitest';
import { parseIncoming } from '../../../src/engine/portable/channel/incoming.js';
import { JsonFramer } from '../../../src/engine/portable/channel/json-framer.js';
import { QgaSession } from '../../../src/engine/portable/channel/qga-session.js';
import { QmpSession } from '../../../src/engine/portable/channel/qmp-session.js';
import { encodeRequest } from '../../../src/engine/portable/channel/request.js';
import { runStateOutcome } from '../../../src/engine/portable/channel/run-state.js';
import type { Session, SessionMessage } from '../../../src/engine/portable/channel/session.js';
import type { Fault } from '../../../src/engine/portable/fault.js';
import { failed, OK } from '../../fakes/http-zoo-verdict.js';

const GREETING = '{"QMP": {"version": {}, "capabilities": []}}\r\n';
const SUSPENDED = { result: 'inconclusive', reason: 'suspended' };

/** Feeds text (a byte a character) in pieces. */
function feed(session: Session, text: string, step = text.length): [SessionMessage[], Fault | undefined] {
  const messages: SessionMessage[] = [];
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += Math.max(step, 1)) {
    const wrong = session.onBytes(bytes.subarray(at, at + step), messages);
    if (wrong !== undefined) return [messages, wrong];
  }
  return [messages, undefined];
}

function readyMonitor(): QmpSession {
  const session = new QmpSession();
  feed(session, GREETING);
  session.pull();
  feed(session, '{"return": {}, "id": "vmpulse"}');
  return session;
}

describe('the framer', () => {
  const split = (stream: string, step: number, max = 64): string[] | Fault => {
    const framer = new JsonFramer(max);
    const objects: string[] = [];
    const bytes = Buffer.from(stream);
    for (let at = 0; at < bytes.length; at += step) {
      let rest = bytes.subarray(at, at + step);
      for (;;) {
        const used = framer.push(rest);
        if (used === undefined) break;
        if (typeof used !== 'number') return used;
        objects.push(framer.object.toString());
        framer.reset();
        rest = rest.subarray(used);
      }
    }
    return objects;
  };

  it('splits by brackets outside strings, whatever the pieces', () => {
    const stream = '{"a": "}{\\""}\r\n{\n "b": [1, {}]\n}{}';
    for (let step = 1; step <= stream.length; step += 1) {
      expect(split(stream, step)).toEqual(['{"a": "}{\\""}', '{\n "b": [1, {}]\n}', '{}']);
    }
  });

  it('names what is not JSON', () => {
    expect(split('QEMU 7.2 monitor\r\n', 100)).toEqual({
      reason: 'protocol-error',
      message: 'expected a JSON object, received "QEMU 7.2 monitor\\r\\n"',
    });
  });

  it('bounds size and depth', () => {
    expect(split('{"a":"0123456789"}', 4, 10)).toMatchObject({ reason: 'response-too-large' });
    expect(split(`{"a":${'['.repeat(200)}`, 7, 1000)).toMatchObject({ reason: 'protocol-error' });
  });
});

describe('messages', () => {
  it.each([
    '{"return": }',
    '{"error": "text"}',
    '{"event": 5}',
    '{"return": "\u00ff"}',
  ])('%s is none', (text) => {
    expect(parseIncoming(Buffer.from(text, 'latin1'))).toMatchObject({ reason: 'protocol-error' });
  });

  it('null is an answer, a missing one is none', () => {
    expect(parseIncoming(Buffer.from('{"return": null}'))).toMatchObject({ answer: { value: null } });
    expect(parseIncoming(Buffer.from('{}'))).toMatchObject({ answer: undefined, error: undefined });
  });

  it('texts of the peer are bounded and escaped', () => {
    const text = JSON.stringify({ error: { class: 'x'.repeat(1000), desc: '\u001b[2J' } });
    const message = parseIncoming(Buffer.from(text));
    if ('reason' in message) throw new Error('not read');
    expect(message.error).toEqual({ class: `${'x'.repeat(64)}…`, description: '\\x1b[2J' });
  });

  it.each([
    ['no good', undefined],
    ['', undefined],
    ['ok', '[]'],
    ['ok', '5'],
    ['ok', '{'],
    ['ok', JSON.stringify({ a: 'x'.repeat(1024 * 1024) })],
  ])('request case %#: not valid', (command, args) => {
    expect(encodeRequest('qmp', command, args)).toBeUndefined();
  });
});

describe('a monitor', () => {
  it('is greeted, then asked, whatever the pieces', () => {
    const answers = '{"event": "RESET", "data": {"guest": true}}\n{"return": {"a": 1}, "id": 7}\r\n';
    for (const step of [1, 2, 5, 1000]) {
      const session = new QmpSession();
      expect(feed(session, GREETING, step)).toEqual([[], undefined]);
      expect(JSON.parse(session.pull().toString())).toMatchObject({ execute: 'qmp_capabilities' });
      expect(session.isReady).toBe(false);
      expect(feed(session, '{"return": {}}', step)[0]).toEqual([{ type: 'ready' }]);
      session.send(7, { execute: 'query-status', arguments: { b: [2] } });
      expect(session.pull().toString()).toBe('{"execute":"query-status","arguments":{"b":[2]},"id":7}\n');
      expect(session.pull()).toHaveLength(0);
      expect(feed(session, answers, step)).toEqual([
        [
          { type: 'event', name: 'RESET', data: { guest: true }, bytes: 43 },
          { type: 'return', id: 7, value: { a: 1 } },
        ],
        undefined,
      ]);
    }
  });

  it.each([
    ['what is no greeting', '{"hello": 1}', 'protocol-error'],
    ['no JSON', 'SSH-2.0', 'protocol-error'],
    ['a refusal of capabilities', `${GREETING}{"error": {"class": "x", "desc": "y"}}`, 'api-error'],
    ['no answer to capabilities', `${GREETING}{"hello": 1}`, 'protocol-error'],
    ['an answer without id', `${GREETING}{"return": {}}{"return": 1}`, 'protocol-error'],
    ['neither answer nor event', `${GREETING}{"return": {}}{"id": 1}`, 'protocol-error'],
    ['a message over 4 MiB', `{"QMP": "${'x'.repeat(4 * 1024 * 1024)}`, 'response-too-large'],
  ])('that says %s is of no use', (_name, text, reason) => {
    expect(feed(new QmpSession(), text)[1]).toMatchObject({ reason });
  });

  it('drops late answers and errors that answer nothing', () => {
    const session = readyMonitor();
    session.send(1, { execute: 'a' });
    session.send(2, { execute: 'b' });
    session.forget(1);
    const text =
      '{"return": 1, "id": 1}{"error": {"class": "x"}}{"return": 3, "id": 99}{"error": {"class": "E"}, "id": 2}';
    expect(feed(session, text)).toEqual([[{ type: 'error', id: 2, class: 'E', description: '' }], undefined]);
  });

  it('takes 256 requests at once', () => {
    const session = readyMonitor();
    for (let id = 0; id < 256; id += 1) session.send(id, { execute: 'a' });
    expect(session.isReady).toBe(false);
    session.forget(0);
    expect(session.isReady).toBe(true);
  });

  it('tells what a deadline means', () => {
    expect(new QmpSession().timeoutReason).toBe('channel-busy');
    expect(readyMonitor().timeoutReason).toBe('response-timeout');
  });
});

describe('an agent', () => {
  const syncOf = (session: QgaSession): number => {
    const text = session.pull().toString('latin1');
    expect(text.startsWith('\u00ff{"execute":"guest-sync-delimited"')).toBe(true);
    return Number(/"id":(\d+)/.exec(text)?.[1]);
  };
  const ready = (): QgaSession => {
    const session = new QgaSession(1);
    feed(session, `\u00ff{"return": ${syncOf(session)}}\n`);
    return session;
  };

  it('is synchronised through noise, whatever the pieces', () => {
    for (const step of [1, 3, 1000]) {
      const session = new QgaSession(5);
      const id = syncOf(session);
      const noise = `{"return": ${id}}\n\u00ff{"return": 1}\n]]}\u00ff"\u00ff{"return": 2}garbage`;
      expect(feed(session, noise, step)).toEqual([[], undefined]);
      expect(session.isReady).toBe(false);
      expect(feed(session, `\u00ff{"return": ${id}}\n`, step)[0]).toEqual([{ type: 'ready' }]);
      expect(session.isReady).toBe(true);
    }
  });

  it('throws away noise without a limit and without memory', () => {
    const session = new QgaSession(1);
    const noise = '{'.repeat(1024 * 1024);
    for (let round = 0; round < 8; round += 1) expect(feed(session, noise)[1]).toBeUndefined();
    expect(session.timeoutReason).toBe('agent-not-connected');
  });

  it('is asked one thing at a time, and nothing that was not asked is heard', () => {
    const session = ready();
    expect(feed(session, '{"return": "unasked"}\n')).toEqual([[], undefined]);
    session.send(4, { execute: 'guest-ping' });
    expect(session.isReady).toBe(false);
    expect(session.pull().toString()).toBe('{"execute":"guest-ping"}\n');
    expect(feed(session, '{"return": {}}\n')[0]).toEqual([{ type: 'return', id: 4, value: {} }]);
    session.send(5, { execute: 'guest-exec' });
    expect(feed(session, '{"error": {"class": "GenericError", "desc": "no"}}')[0]).toEqual([
      { type: 'error', id: 5, class: 'GenericError', description: 'no' },
    ]);
  });

  it('is synchronised again after a deadline, with a new number; the late answer is noise', () => {
    const session = ready();
    session.send(1, { execute: 'guest-ping' });
    session.pull();
    session.forget(99);
    expect(session.timeoutReason).toBe('response-timeout');
    session.forget(1);
    expect(session.timeoutReason).toBe('agent-not-connected');
    const id = syncOf(session);
    session.forget(2);
    const newer = syncOf(session);
    expect(newer).toBeGreaterThan(id);
    const late = `{"return": "late"}\n\u00ff{"return": ${id}}\n\u00ff{"return": ${newer}}\n`;
    expect(feed(session, late)[0]).toEqual([{ type: 'ready' }]);
  });

  it('only one sync waits unsent', () => {
    const session = new QgaSession(1);
    for (let round = 0; round < 100; round += 1) session.forget(0);
    expect(session.pull().length).toBeLessThan(200);
  });

  it.each([
    ['noise', 'nonsense', 'protocol-error'],
    ['what is no answer', '{"hello": 1}', 'protocol-error'],
    ['too deep', '{"return": '.concat('['.repeat(200)), 'protocol-error'],
    ['too long', `{"return": "${'x'.repeat(4 * 1024 * 1024)}`, 'response-too-large'],
  ])('that answers %s is of no use', (_name, text, reason) => {
    const session = ready();
    session.send(1, { execute: 'guest-ping' });
    expect(feed(session, text)[1]).toMatchObject({ reason });
  });
});

describe('run states', () => {
  it.each([
    ['running', true, OK],
    ['guest-panicked', false, failed('guest-panicked')],
    ['io-error', false, failed('io-error')],
    ['shutdown', false, failed('vm-not-running')],
    ['watchdog', false, failed('vm-not-running')],
    ['internal-error', false, failed('vm-not-running')],
    ['paused', false, SUSPENDED],
    ['prelaunch', false, SUSPENDED],
    ['save-vm', true, SUSPENDED],
    ['brand-new', true, OK],
    ['brand-new', false, SUSPENDED],
  ])('%s, running %s', (status, running, wanted) => {
    expect(runStateOutcome({ status, running, singlestep: false })).toEqual(wanted);
  });

  it.each([
    {},
    [],
    'running',
    null,
    { status: 'running' },
    { running: 1, status: 'running' },
  ])('case %#: no status at all', (value) => {
    expect(runStateOutcome(value)).toEqual(failed('api-error'));
  });
});
