import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { fitBody } from './fit-bodies.js';
import { type Served, serve } from './helpers.js';
import { type Described, OpenApiCheck } from './openapi-check.js';

async function ask({ client }: Served, { method, path }: Described) {
  const place = path
    .replace('{namespace}', 'lab')
    .replace('{name}', 'db')
    .replace('{id}', 'plan-1')
    .replace('{site}', 'host-1');
  const body = fitBody(path) ?? {};
  const headers = path.endsWith('/heartbeat') ? { authorization: 'Bearer good' } : {};
  const answer = await client.request({
    ...{ method, path: place, headers },
    ...(method === 'POST' ? { body: JSON.stringify(body) } : {}),
  });
  const type = String(answer.headers['content-type']);
  // A stream has no end; that it begins is enough here.
  if (type === 'text/event-stream') {
    answer.body.on('error', () => {}).destroy();
    return { status: answer.statusCode, type, body: '' };
  }
  const text = await answer.body.text();
  const isJson = type.startsWith('application/json');
  return { status: answer.statusCode, type, body: isJson ? JSON.parse(text) : text };
}

describe('GET /v1/openapi.json', () => {
  it('is a valid OpenAPI 3.1 document', async () => {
    const { get } = await serve();
    const { json } = await get('/v1/openapi.json');
    const result = await new Validator().validate(Object(structuredClone(json)));
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
  });

  it('describes what every route answers, to the last member', async () => {
    const served = await serve();
    // One plan, so that there is one to ask for.
    await served.post('/v1/plans', fitBody('/v1/plans'));
    const check = new OpenApiCheck((await served.get('/v1/openapi.json')).json);
    expect(check.operations.length).toBeGreaterThan(40);
    let answered = 0;
    for (const described of check.operations) {
      const answer = await ask(served, described);
      const name = `${described.method} ${described.path}`;
      if (answer.status === 200) answered += 1;
      expect({ name, problems: check.problems(described, answer) }).toEqual({ name, problems: [] });
    }
    expect(answered).toBeGreaterThan(50);
  });

  it('would notice a member that it does not describe, and one that is missing', async () => {
    const served = await serve();
    const check = new OpenApiCheck((await served.get('/v1/openapi.json')).json);
    const status = check.operations.find(({ path }) => path === '/v1/status');
    if (status === undefined) throw new Error('no status');
    const body = served.runtime.view();
    const type = 'application/json';
    expect(check.problems(status, { status: 200, type, body })).toEqual([]);
    expect(check.problems(status, { status: 200, type, body: { ...body, extra: 1 } })).toHaveLength(1);
    expect(check.problems(status, { status: 200, type, body: { ...body, pid: undefined } })).toHaveLength(1);
    expect(check.problems(status, { status: 500, type, body: { error: 'x' } })).toHaveLength(1);
  });

  it('describes errors and refusals alike', async () => {
    const served = await serve();
    const check = new OpenApiCheck((await served.get('/v1/openapi.json')).json);
    const journal = check.operations.find(({ path }) => path === '/v1/journal');
    if (journal === undefined) throw new Error('no journal');
    const refused = await served.get('/v1/journal?limit=x');
    expect(refused.status).toBe(400);
    expect(check.problems(journal, { status: 400, type: '', body: refused.json })).toEqual([]);
  });
});
