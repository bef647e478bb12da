import { createServer as createTcpServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { ProbeEngine } from '../../src/engine/index.js';
import { idHash } from '../../src/engine/portable/timing.js';
import type { ChannelOptions, TargetCheck } from '../../src/engine/probe-engine.js';
import type { ProbeResult } from '../../src/model/outcome.js';
import { ZOO, zooCheck, zooTimeoutMs } from '../fakes/http-zoo.js';
import { testFolder } from '../fixtures/folder.js';
import { freePort } from '../fixtures/ports.js';
import { whyNoAddon } from './engine/addon.js';
import { type Engine, EXPLAINED, expectSame, probe } from './engine/differential.js';
import { tcpCheck, tcpServer } from './engine/support.js';

const missing = whyNoAddon();

beforeEach((ctx) => {
  if (missing !== undefined) ctx.skip(`the engine addon does not load: ${missing}`);
});

it('explains no more than five differences', () => {
  expect(Object.keys(EXPLAINED).length).toBeLessThanOrEqual(5);
});

it('both give a target the same phase', async () => {
  const native = new ProbeEngine({ engine: 'native' });
  onTestFinished(() => native.close());
  for (const id of ['default/web-1/readiness', 'ü', 'x'.repeat(512)]) {
    const timing = {
      initialDelayMs: 0,
      periodMs: 60_000,
      timeoutMs: 100,
      successThreshold: 1,
      failureThreshold: 1,
    };
    const handles = native.add([{ id, check: { kind: 'external' }, timing, startState: 'unknown' }]);
    // Behind eight bytes of format come the targets, each with the hash of its id first.
    const hash = Buffer.from(await native.snapshot()).readBigUInt64LE(8);
    expect(hash, id.slice(0, 30)).toBe(idHash(id));
    native.remove(handles);
  }
});

describe('the zoo of HTTP servers', () => {
  it.each(ZOO.map((zooCase) => [zooCase.name, zooCase] as const))('%s', async (name, zooCase) => {
    const ask = async (engine: Engine): Promise<ProbeResult> => {
      const server = await zooCase.start();
      onTestFinished(() => server.close());
      return await probe(engine, () => zooCheck(zooCase, server.port), zooTimeoutMs(zooCase));
    };
    const native = await ask('native');
    const portable = await ask('portable');
    expectSame(name, native, portable);
    // How much of an endless body comes before the deadline is chance.
    const measured = zooCase.waits === true ? ['status', 'redirects', 'tlsVersion'] : MEASURED;
    for (const detail of measured) expect(portable.details[detail], detail).toBe(native.details[detail]);
  });
});

const MEASURED = ['status', 'bodyBytes', 'redirects', 'tlsVersion', 'certificateNotAfterMs'];

const BASES = [
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n2;e=1\r\nok\r\n0\r\nT: x\r\n\r\n',
  'HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.0 302 Found\r\nLocation: http://other.test/\r\n\r\n',
  'HTTP/1.1 301 Moved\r\nLocation: http://localhost:80/a/../b?c=[d]#e\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 308 Moved\r\nLocation: //u@LOCALHOST:81/%41 b\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 303 Other\r\nLocation: ../c;d=:e?f\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\nX-Folded: a\r\n b\r\nConnection: close\n\nbody until the end',
];
const TOKENS = [
  '\r',
  '\n',
  '\r\n',
  ' ',
  '\t',
  ':',
  ';',
  '0',
  'f',
  '-',
  ',',
  '\0',
  '\u00ff',
  'HTTP/1.1 ',
  'chunked',
];

/** The same numbers for the same seed (mulberry32). */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** A response with up to three mistakes in it. */
function mutate(random: (below: number) => number): string {
  let text = BASES[random(BASES.length)] ?? '';
  for (let mistakes = random(3) + 1; mistakes > 0; mistakes -= 1) {
    const at = random(text.length + 1);
    const put = random(3) === 0 ? '' : (TOKENS[random(TOKENS.length)] ?? '');
    text = text.slice(0, at) + put + text.slice(at + random(4));
  }
  return text;
}

it('both judge the same of responses with mistakes in them', { timeout: 120_000 }, async () => {
  const random = randomNumbers(SEED);
  const [native, portable] = (['native', 'portable'] as const).map((engine) => new ProbeEngine({ engine }));
  if (native === undefined || portable === undefined) throw new Error('two engines were made');
  onTestFinished(async () => void (await Promise.all([native.close(), portable.close()])));
  let text = '';
  let requests: string[] = [];
  const path = await unixServer((socket) =>
    socket.once('data', (head: Buffer) => {
      requests.push(head.toString('latin1').split('User-Agent')[0] ?? '');
      socket.end(text, 'latin1');
    }),
  );
  const http = { scheme: 'http', port: 80, path: '/', headers: [] } as const;
  const check = { kind: 'httpGet', endpoint: { unix: path }, http } as const;
  for (let round = 0; round < MUTATIONS; round += 1) {
    text = mutate(random);
    const ours = await portable.probeOnce(check, { timeoutMs: 10_000 });
    const ourRequests = requests;
    requests = [];
    const theirs = await native.probeOnce(check, { timeoutMs: 10_000 });
    const what = `round ${round}: ${JSON.stringify(text)}`;
    expect([ours.outcome, ours.warnings], what).toEqual([theirs.outcome, theirs.warnings]);
    expect(ourRequests, what).toEqual(requests);
    requests = [];
    for (const detail of ['status', 'bodyBytes'])
      expect(ours.details[detail], what).toBe(theirs.details[detail]);
  }
});

const MUTATIONS = 1500;
const SEED = 20_260_101;

describe('TCP and Unix sockets', () => {
  const CASES: Readonly<Record<string, () => Promise<TargetCheck> | TargetCheck>> = {
    'a port that listens': async () => tcpCheck((await tcpServer()).port),
    'a port that refuses': async () => tcpCheck(await freePort()),
    'an orderly close': async () => {
      const { port } = await tcpServer();
      return { kind: 'tcpSocket', endpoint: { ip: '127.0.0.1', port }, close: 'fin' };
    },
    'IPv6 that refuses': async () => {
      const port = await freePort();
      return { kind: 'tcpSocket', endpoint: { ip: '::1', port }, close: 'rst' };
    },
    'a Unix socket that nobody has': () => unixCheck(join(testFolder(), 'nobody')),
    'a path that is no socket': () => unixCheck('/etc/passwd'),
    'a folder that is a file': () => unixCheck('/etc/passwd/socket'),
    'a Unix socket that listens': async () => unixCheck(await unixServer(() => {})),
  };

  it.each(Object.entries(CASES))('%s', async (name, makeCheck) => {
    const check = await makeCheck();
    const portable = await probe('portable', () => check, 5000);
    for (const reactor of ['auto', 'epoll'] as const) {
      expectSame(name, await probe('native', () => check, 5000, reactor), portable);
    }
  });
});

function unixCheck(path: string): TargetCheck {
  return { kind: 'tcpSocket', endpoint: { unix: path }, close: 'rst' };
}

/** A server on a Unix socket until the test ends. */
async function unixServer(onConnection: (socket: Socket) => void): Promise<string> {
  const path = join(testFolder(), 'socket');
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return path;
}

/** Answers line by line. */
function onLines(socket: Socket, answer: (line: string) => string): void {
  let rest = '';
  socket.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) socket.write(answer(line), 'latin1');
  });
}

const GREETING = '{"QMP": {"version": {}, "capabilities": []}}\r\n';

/** A monitor that answers `query-status` with this text (ID stands for the request's id). */
function monitor(answer: string): (socket: Socket) => void {
  return (socket) => {
    socket.write(GREETING);
    onLines(socket, (line) => {
      const id = /"id": ?("[^"]*"|\d+)/.exec(line)?.[1] ?? 'null';
      return line.includes('qmp_capabilities')
        ? `{"return": {}, "id": ${id}}\n`
        : answer.replaceAll('ID', id);
    });
  };
}

const STATES = [
  ...['debug', 'inmigrate', 'internal-error', 'io-error', 'paused', 'postmigrate', 'prelaunch'],
  ...['finish-migrate', 'restore-vm', 'running', 'save-vm', 'shutdown', 'suspended', 'watchdog'],
  ...['guest-panicked', 'colo', 'brand-new'],
];

/** Most answers are there at once, or never; these have a way to go on a busy host. */
function channelTimeoutMs(name: string): number {
  return name.includes('over 4 MiB') ? 10_000 : 400;
}

describe('monitors', () => {
  const CASES: Readonly<Record<string, (socket: Socket) => void>> = {
    ...Object.fromEntries(
      STATES.flatMap((status) =>
        [true, false].map((running) => [
          `${status}, ${running ? '' : 'not '}running`,
          monitor(`{"return": {"status": "${status}", "running": ${running}}, "id": ID}\n`),
        ]),
      ),
    ),
    'no status': monitor('{"return": {}, "id": ID}\n'),
    'a status that is a list': monitor('{"return": [], "id": ID}\n'),
    'a refusal': monitor('{"error": {"class": "GenericError", "desc": "no"}, "id": ID}\n'),
    'an event first': monitor(
      '{"event": "RESET"}\n{"return": {"status": "running", "running": true}, "id": ID}\n',
    ),
    "another's answer, then silence": monitor('{"return": {"status": "running"}, "id": 987654}\n'),
    'an answer without an id': monitor('{"return": {"status": "running", "running": true}}\n'),
    'garbage for an answer': monitor('nonsense\n'),
    'invalid UTF-8 for an answer': monitor('{"return": {"status": "\u00ff"}, "id": ID}\n'),
    'JSON nested too deep': monitor(`{"return": ${'['.repeat(200)}`),
    'a message over 4 MiB': monitor(`{"return": "${'x'.repeat(4 * 1024 * 1024)}`),
    'silence for an answer': monitor(''),
    'capabilities refused': (socket) => {
      socket.write(GREETING);
      onLines(socket, () => '{"error": {"class": "CommandNotFound", "desc": "no"}}\n');
    },
    'a greeting that is none': (socket) => socket.write('{"hello": 1}\n'),
    'no JSON': (socket) => socket.write('QEMU 7.2 monitor\r\n'),
    'the end at once': (socket) => socket.end(),
    'half a greeting, then the end': (socket) => socket.end('{"QMP": '),
    silence: () => {},
  };

  it.each(Object.entries(CASES))('that says %s', async (name, speak) => {
    const path = await unixServer(speak);
    const ask = (engine: Engine): Promise<ProbeResult> =>
      probe(engine, (opened) => onChannel(opened, 'vmState', path), channelTimeoutMs(name));
    const native = await ask('native');
    expectSame(name, native, await ask('portable'));
  });
});

describe('agents', () => {
  const sync = (line: string): string | undefined => {
    const id = /"guest-sync-delimited".*?(\d+)/.exec(line)?.[1];
    return id === undefined ? undefined : `\u00ff{"return": ${id}}\n`;
  };
  const agent = (answer: string) => (socket: Socket) => onLines(socket, (line) => sync(line) ?? answer);
  const CASES: Readonly<Record<string, (socket: Socket) => void>> = {
    'a ping': agent('{"return": {}}\n'),
    'a refusal': agent('{"error": {"class": "GenericError", "desc": "no"}}\n'),
    garbage: agent('nonsense\n'),
    'what is no answer': agent('{"hello": 1}\n'),
    'silence to the ping': agent(''),
    'noise before the sync': (socket) => {
      socket.write(`${'noise {"return": 1}\n'.repeat(1000)}`);
      onLines(socket, (line) => sync(line) ?? '{"return": {}}\n');
    },
    "another's sync first": (socket) =>
      onLines(socket, (line) => {
        const ours = sync(line);
        return ours === undefined ? '{"return": {}}\n' : `\u00ff{"return": 1}\n${ours}`;
      }),
    'the end at once': (socket) => socket.end(),
    silence: () => {},
  };

  it.each(Object.entries(CASES))('that says %s', async (name, speak) => {
    const path = await unixServer(speak);
    const ask = (engine: Engine): Promise<ProbeResult> =>
      probe(engine, (opened) => onChannel(opened, 'guestAgentPing', path), 400);
    const native = await ask('native');
    expectSame(name, native, await ask('portable'));
  });
});

describe('APIs', () => {
  /** Answers each request with these bytes; a request has no body. */
  const api =
    (answer: string, end = false) =>
    (socket: Socket): void => {
      let rest = '';
      socket.on('data', (chunk: Buffer) => {
        const requests = (rest + chunk.toString('latin1')).split('\r\n\r\n');
        rest = requests.pop() ?? '';
        for (const _ of requests) {
          socket.write(answer, 'latin1');
          if (end) socket.end();
        }
      });
    };
  const head = (status: string, more = '') => `HTTP/1.1 ${status}\r\n${more}`;
  const sized = (status: string, body: string) =>
    `${head(status)}Content-Length: ${Buffer.byteLength(body, 'latin1')}\r\n\r\n${body}`;
  const states = ['Running', 'Created', 'Shutdown', 'Paused', 'BreakPoint', 'Not started', 'brand-new'];
  const running = '{"state": "Running"}';
  const CASES: Readonly<Record<string, (socket: Socket) => void>> = {
    ...Object.fromEntries(states.map((state) => [state, api(sized('200 ', `{"state": "${state}"}`))])),
    ...Object.fromEntries(
      ['301', '400', '404', '409', '429', '500', '503'].map((status) => [
        `status ${status}`,
        api(sized(`${status} `, '["Error from API", "no"]')),
      ]),
    ),
    'no state': api(sized('200 OK', '{}')),
    'a state that is no text': api(sized('200 OK', '{"state": 1}')),
    'a list': api(sized('200 OK', '[]')),
    'no content': api(head('204', '\r\n')),
    'a body until the end': api(`${head('200', '\r\n')}${running}`, true),
    'half a body, then the end': api(`${head('200', 'Content-Length: 99\r\n\r\n')}${running}`, true),
    'half a head, then the end': api('HTTP/1.1 20', true),
    'half a body': api(`${head('200', 'Content-Length: 99\r\n\r\n')}${running}`),
    chunks: api(`${head('200', 'Transfer-Encoding: chunked\r\n\r\n')}14\r\n${running}\r\n0\r\n\r\n`),
    'a bad chunk': api(`${head('200', 'Transfer-Encoding: chunked\r\n\r\n')}zz\r\n`),
    'that it closes': api(`${head('200', 'Connection: close\r\nContent-Length: 20\r\n\r\n')}${running}`),
    'interim answers': api(`${head('100 Continue', '\r\n').repeat(5)}${sized('200 OK', running)}`),
    'interim answers without end': api(head('100 Continue', '\r\n').repeat(6)),
    'another protocol': api(head('101 Switching Protocols', '\r\n')),
    'two answers': api(sized('200 OK', running).repeat(2)),
    'no JSON': api(sized('200 OK', 'nonsense')),
    'invalid UTF-8': api(sized('200 OK', '{"state": "\u00ff"}')),
    'JSON nested too deep': api(sized('200 OK', `{"a":${'['.repeat(200)}${']'.repeat(200)}}`)),
    'a body over 4 MiB': api(sized('200 OK', `"${'x'.repeat(4 * 1024 * 1024)}"`)),
    'too many headers': api(head('200', `${'X: y\r\n'.repeat(200)}\r\n`)),
    'a head over 64 KiB': api(head('200', `X: ${'y'.repeat(70_000)}\r\n\r\n`)),
    'another service': (socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n'),
    'an answer before it is asked': (socket) => socket.write(sized('200 OK', running)),
    'that it is full, and ends': (socket) => socket.end(sized('503', '{ "error": "Too many" }')),
    'the end at once': (socket) => socket.end(),
    silence: () => {},
  };

  it.each(Object.entries(CASES))('that say %s', async (name, speak) => {
    for (const protocol of ['cloud-hypervisor', 'firecracker'] as const) {
      const path = await unixServer(speak);
      const ask = (engine: Engine): Promise<ProbeResult> =>
        probe(engine, (opened) => onChannel(opened, 'vmState', path, protocol), channelTimeoutMs(name));
      const native = await ask('native');
      expectSame(name, native, await ask('portable'));
    }
  });
});

function onChannel(
  engine: ProbeEngine,
  kind: 'vmState' | 'guestAgentPing',
  path: string,
  protocol: ChannelOptions['protocol'] = kind === 'vmState' ? 'qmp' : 'qga',
): TargetCheck {
  return { kind, channel: engine.openChannel({ protocol, path, greetingTimeoutMs: 150 }).handle };
}
