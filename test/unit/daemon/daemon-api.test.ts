import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Answer, daemonWithVm, fillIn } from './daemon-with-vm.js';
import { fitBody } from './fit-bodies.js';
import type { Described } from './openapi-check.js';
import type { Place } from './real-daemon.js';
import { arbitraryOf, hostileName } from './schema-arbitrary.js';

/** A real daemon takes its time to start on a machine that may be busy. */
const PATIENT = { timeout: 240_000 };
const RUNS = 250;

describe('the API of a real daemon', PATIENT, () => {
  it('answers every route as its OpenAPI document says', async () => {
    const { ask, check } = await daemonWithVm();
    const answered: string[] = [];
    for (const described of check.operations) {
      const { method, path } = described;
      const name = `${method} ${path}`;
      const fit = method === 'POST' ? fitBody(path) : {};
      // A command that is not known here must not do anything to the VM.
      const vm = fit === undefined ? 'nobody' : 'web-1';
      const place = fillIn(path.replace('{namespace}', 'default'), () => vm);
      const answer = await ask(method, place, method === 'POST' ? JSON.stringify(fit ?? {}) : undefined);
      expect({ name, problems: check.problems(described, answer) }).toEqual({ name, problems: [] });
      // What needs a running guest, a TAP device, a plan or a token is refused in order.
      expect(JSON.stringify(answer.body)).not.toContain('ERR_VMPULSE_INTERNAL');
      if (answer.status === 200) answered.push(name);
    }
    expect(answered.length).toBeGreaterThan(30);
  });

  it('refuses what is thrown at it, and nothing comes of that', async () => {
    const { here, child, ask, check } = await daemonWithVm();
    const before = await stateOf(here, ask);
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(requests(check.operations), async ({ described, path, body }) => {
        const answer = await ask(described.method, path, body);
        expect(
          JSON.stringify(answer.body),
          `${described.method} ${path} ${body?.slice(0, 300)}`,
        ).not.toContain('ERR_VMPULSE_INTERNAL');
        // A path with a stray name is that of no route, or of another one.
        if (answer.status >= 400) expect(check.problems(described, answer)).toEqual([]);
        if (answer.status >= 400 && answer.status < 500) refused += 1;
        if (answer.status === 200 && described.method === 'POST') return;
        expect(await stateOf(here, ask)).toEqual(before);
      }),
      { numRuns: RUNS, seed: 20_260_726, endOnFailure: true },
    );
    expect(refused).toBeGreaterThan(RUNS / 4);
    expect(child.exitCode).toBeNull();
    expect(readdirSync(here.dir).toSorted()).toEqual(['config.yaml', 'run', 'state', 'vms.d']);
  });

  it('does not wait for a body that does not come, and serves others meanwhile', async () => {
    const { here, ask } = await daemonWithVm();
    const slow = connect(here.socket);
    onTestFinished(() => void slow.destroy());
    let text = '';
    slow.on('data', (chunk: Buffer) => {
      text += chunk;
    });
    const ended = new Promise((resolve) => slow.once('close', resolve));
    slow.write('POST /v1/recovery/hold HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"reason"');
    expect(await ask('GET', '/v1/status')).toMatchObject({ status: 200 });
    await ended;
    expect(text).toMatch(/^HTTP\/1\.1 (408|504|400) /);
    expect(await ask('GET', '/v1/intents')).toMatchObject({ body: { intents: [] } });
  });
});

/** What must stay as it is: what persons want, and what the VM is. */
async function stateOf(here: Place, ask: (method: 'GET', path: string) => Promise<Answer>) {
  const intents = await ask('GET', '/v1/intents');
  const { body } = await ask('GET', '/v1/policy/default/web-1');
  // The daemon writes files of its own there at any time.
  const applied = readdirSync(join(here.dir, 'state')).filter((name) =>
    /^(documents|overrides|hooks)/.test(name),
  );
  return { intents: intents.body, policy: body, applied: applied.toSorted() };
}

function requests(operations: readonly Described[]) {
  // Those change something when they are taken, which is not what is tried here; the body of others is junk at times.
  const tried = operations.filter(
    ({ path }) => !/gc$|reload$|heartbeat-token$|maintenance$|hold$|schedule$/.test(path),
  );
  return fc.constantFrom(...tried).chain((described) => {
    const mayBeVm = described.method === 'GET' || fitBody(described.path) !== undefined;
    const name = mayBeVm
      ? fc.oneof(hostileName, fc.constant('web-1'))
      : hostileName.filter((text) => !text.includes('web-1'));
    const names = fc.array(name, { minLength: 3, maxLength: 3 });
    const schema = described.operation.requestBody?.content['application/json'].schema;
    const body = schema === undefined ? fc.constant(undefined) : arbitraryOf(schema);
    const query = fc.option(fc.record({ vm: hostileName, limit: hostileName }, { requiredKeys: [] }), {
      freq: 3,
    });
    return fc.record({ names, body, query }).map(({ names: list, body: value, query: asked }) => {
      const rest = [...list];
      const search = asked === null ? '' : `?${new URLSearchParams(asked)}`;
      const path = `${fillIn(described.path, () => encodeURIComponent(wellFormed(rest.pop() ?? 'x')))}${search}`;
      return { described, path, body: schema === undefined ? undefined : JSON.stringify(dry(schema, value)) };
    });
  });
}

/** What fits by chance is only looked at, where that can be asked for. */
function dry(schema: unknown, body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  const known = Object.keys(Object(Object(schema).properties));
  const asked = known.filter((key) => key === 'dryRun' || key === 'dry_run').map((key) => [key, true]);
  return { ...body, ...Object.fromEntries(asked) };
}

/** Half a surrogate pair cannot be encoded. */
function wellFormed(text: string): string {
  return text.replaceAll(/\p{Surrogate}/gu, '?') || 'x';
}
