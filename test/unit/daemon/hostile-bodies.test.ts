import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { daemonWithVm, fillIn } from './daemon-with-vm.js';
import type { Described } from './openapi-check.js';

/** A real daemon takes its time to start on a machine that may be busy. */
const PATIENT = { timeout: 240_000 };
const bounded = z.looseObject({ 'x-vmpulse-max-body-bytes': z.number() });

const commandsOf = (operations: readonly Described[]) => operations.filter(({ method }) => method === 'POST');
const placeOf = ({ path }: Described) => fillIn(path.replace('{namespace}', 'default'), () => 'web-1');

/** Sends bytes on a connection of its own, and resolves with what came until the daemon closed it. */
function say(socket: string, text: string, drip?: string): Promise<string> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    let heard = '';
    const timer = drip === undefined ? undefined : setInterval(() => connection.write(drip), 200);
    connection.on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1');
    });
    // Whoever is cut off while it writes hears that, too.
    connection.on('error', () => {});
    connection.once('close', () => {
      clearInterval(timer);
      resolve(heard);
    });
    onTestFinished(() => void connection.destroy());
    connection.write(text);
  });
}

describe('bodies of a client with bad intentions', PATIENT, () => {
  it('that are too large are refused by every command, and none is carried out', async () => {
    const { ask, check } = await daemonWithVm();
    const commands = commandsOf(check.operations);
    expect(commands.length).toBeGreaterThan(30);
    for (const described of commands) {
      const { 'x-vmpulse-max-body-bytes': max } = bounded.parse(described.operation);
      // It would fit but for its size: what is too large is in the white space.
      const answer = await ask('POST', placeOf(described), `{${' '.repeat(max)}}`);
      expect({ path: described.path, status: answer.status }).toEqual({ path: described.path, status: 413 });
      expect(check.problems(described, answer)).toEqual([]);
    }
    expect(await ask('GET', '/v1/intents')).toMatchObject({ body: { intents: [] } });
  });

  it('that do not come hold nothing up: each connection is ended, and others are served', async () => {
    const { here, ask, check } = await daemonWithVm();
    const head = (path: string, how: string) => `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${how}\r\n\r\n`;
    const commands = commandsOf(check.operations);
    const stalled = commands.map(async (described) => ({
      path: described.path,
      heard: await say(here.socket, `${head(placeOf(described), 'Content-Length: 100')}{"reason"`),
    }));
    const dripping = commands.slice(0, 8).map(async (described) => ({
      path: described.path,
      heard: await say(
        here.socket,
        `${head(placeOf(described), 'Transfer-Encoding: chunked')}1\r\n{\r\n`,
        '1\r\n \r\n',
      ),
    }));
    const headers = ['GET /v1/status HTTP/1.1\r\nHost: ', 'POST ', ''].map(async (text) => ({
      path: `headers that stop after "${text}"`,
      heard: text === '' ? '' : await say(here.socket, text),
    }));
    expect(await ask('GET', '/v1/status')).toMatchObject({ status: 200 });
    for (const { path, heard } of await Promise.all([...stalled, ...dripping, ...headers]))
      expect({ path, heard: heard.slice(0, 12) }).toEqual({
        path,
        heard: expect.stringMatching(/^(HTTP\/1\.1 (400|401|408|504)|)$/),
      });
    expect(await ask('GET', '/v1/intents')).toMatchObject({ body: { intents: [] } });
    expect(await ask('GET', '/v1/status')).toMatchObject({ status: 200 });
  });
});
