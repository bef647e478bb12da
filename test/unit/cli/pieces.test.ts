import { CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { readEnvironment } from '../../../src/cli/environment.js';
import { type EventBlock, readEventBlocks } from '../../../src/cli/event-blocks.js';
import { exitCodeOf } from '../../../src/cli/exit-codes.js';
import { COLOURS, paintState } from '../../../src/cli/text/paint.js';
import { table } from '../../../src/cli/text/table.js';
import { moment, span } from '../../../src/cli/text/time.js';
import { type ErrorCode, VmpulseError } from '../../../src/model/errors.js';

describe('span', () => {
  it.each([
    [0, '0s'],
    [999, '0s'],
    [-5_000, '0s'],
    [1_000, '1s'],
    [61_000, '1m1s'],
    [3_600_000, '1h'],
    [3_600_000 + 5_000, '1h'],
    [90_061_000, '1d1h'],
    [400 * 86_400_000, '400d'],
  ])('%i ms is %s', (ms, text) => expect(span(ms)).toBe(text));
});

describe('moment', () => {
  it('is UTC, and a dash for what is no time', () => {
    expect(moment(1_700_000_000_123)).toBe('2023-11-14 22:13:20.123Z');
    expect(moment(Number.NaN)).toBe('-');
    expect(moment(1e30)).toBe('-');
  });
});

describe('table', () => {
  it('aligns by what is seen, not by what colours it', () => {
    const rows = [
      ['a', { text: 'ok', paint: COLOURS.good }, 'x'],
      ['longer', 'unhealthy', ''],
    ];
    expect(table(['NAME', 'STATE', 'NOTE'], rows)).toBe(
      'NAME    STATE      NOTE\na       \u001b[32mok\u001b[39m         x\nlonger  unhealthy\n',
    );
  });
});

describe('paintState', () => {
  it('gives a state the colour of its meaning', () => {
    const colours = ['healthy', 'quarantined', 'paused', 'recovering'].map((state) =>
      paintState(state, COLOURS).slice(0, 5),
    );
    expect(colours).toEqual(['\u001b[32m', '\u001b[31m', '\u001b[2mp', '\u001b[33m']);
  });
});

describe('readEnvironment', () => {
  it('takes what is set and not empty', () => {
    expect(readEnvironment({}, 7)).toEqual({ socketPath: undefined, noColor: false, notify: undefined });
    expect(readEnvironment({ VMPULSE_SOCKET: '', NO_COLOR: '', NOTIFY_SOCKET: '' }, 7)).toEqual(
      readEnvironment({}, 7),
    );
    expect(readEnvironment({ VMPULSE_SOCKET: '/s', NO_COLOR: '1', NOTIFY_SOCKET: '@n' }, 7)).toEqual({
      socketPath: '/s',
      noColor: true,
      notify: { socket: '@n' },
    });
  });

  it('takes a watchdog that is meant for this process', () => {
    const notify = (more: NodeJS.ProcessEnv) =>
      readEnvironment({ NOTIFY_SOCKET: '/n', WATCHDOG_USEC: '30000000', ...more }, 7).notify;
    expect(notify({})).toEqual({ socket: '/n', watchdogUsec: 30_000_000 });
    expect(notify({ WATCHDOG_PID: '7' })).toEqual({ socket: '/n', watchdogUsec: 30_000_000 });
    expect(notify({ WATCHDOG_PID: '8' })).toEqual({ socket: '/n' });
    expect(notify({ WATCHDOG_USEC: 'soon' })).toEqual({ socket: '/n' });
    expect(notify({ WATCHDOG_USEC: '-1' })).toEqual({ socket: '/n' });
  });
});

describe('exitCodeOf', () => {
  const coded = (code: ErrorCode) => exitCodeOf(new VmpulseError(code, 'm'));
  it('is documented for each kind of error', () => {
    expect(coded('ERR_VMPULSE_USAGE')).toBe(64);
    expect(coded('ERR_VMPULSE_DAEMON_UNREACHABLE')).toBe(69);
    expect(coded('ERR_VMPULSE_INTERNAL')).toBe(70);
    expect(coded('ERR_VMPULSE_LOCKED')).toBe(75);
    expect(coded('ERR_VMPULSE_ADDRESS_IN_USE')).toBe(75);
    expect(coded('ERR_VMPULSE_CONFIG')).toBe(78);
    expect(coded('ERR_VMPULSE_VM_UNKNOWN')).toBe(1);
    expect(exitCodeOf(new TypeError('bug'))).toBe(70);
    expect(exitCodeOf(new CommanderError(1, 'commander.unknownOption', 'm'))).toBe(64);
    expect(exitCodeOf(new CommanderError(0, 'commander.helpDisplayed', 'm'))).toBe(0);
  });
});

describe('readEventBlocks', () => {
  async function* chunked(text: string, size: number) {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  async function blocks(text: string, size: number): Promise<EventBlock[]> {
    const found: EventBlock[] = [];
    for await (const block of readEventBlocks(chunked(text, size))) found.push(block);
    return found;
  }

  it.each([1, 7, 1_000])('reads events however they are cut, every %i bytes', async (size) => {
    const text =
      'retry: 1000\n\n:\n\nid: 5-1\nevent: health\ndata: {"text":"größer"}\n\ndata: two\n\nid: 5-3\ndata: half';
    expect(await blocks(text, size)).toEqual([
      { id: '5-1', event: 'health', data: '{"text":"größer"}' },
      { id: undefined, event: 'message', data: 'two' },
    ]);
  });

  it('keeps no more than one event in memory', async () => {
    expect(await blocks(`data: ${'x'.repeat(3_000_000)}`, 65_536)).toEqual([]);
  });
});
