import type { Server } from 'node:http';
import { join } from 'node:path';
import { Client, type Dispatcher } from 'undici';
import { onTestFinished } from 'vitest';
import { TokenStore } from '../../../src/daemon/access/token-store.js';
import { createApi } from '../../../src/daemon/api.js';
import type { ApiOptions } from '../../../src/daemon/api-route.js';
import { closeHttpServer, createHttpServer } from '../../../src/daemon/http-server.js';
import { listenUnix } from '../../../src/daemon/listen.js';
import { silentLogger } from '../../../src/model/logger.js';
import { testFolder } from '../../fixtures/folder.js';
import { FakeLifecycle } from './fake-lifecycle.js';
import { noNotifier } from './fake-notifier.js';
import { FakeRuntime } from './fake-runtime.js';
import { FakeStore } from './fake-store.js';

export interface Served {
  readonly runtime: FakeRuntime;
  readonly client: Client;
  readonly server: Server;
  readonly socket: string;
  readonly stop: AbortController;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  post(path: string, body?: unknown): Promise<Answer>;
  send(options: Dispatcher.RequestOptions): Promise<Answer>;
}

interface Answer {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData['headers'];
  readonly text: string;
  readonly json: unknown;
}

/** The API on a real socket, over a fake runtime. */
export async function serve(options: Partial<ApiOptions> = {}): Promise<Served> {
  const runtime = new FakeRuntime();
  const stop = new AbortController();
  const socket = join(testFolder(), 'run', 'vmpulse.sock');
  const reload: ApiOptions['reload'] = async ({ dryRun }) => ({
    ...{ dryRun, added: ['lab/new'], removed: [], changed: [], warnings: [] },
    settings: { changed: [], restartRequired: [] },
  });
  const app = createApi({
    runtime,
    lifecycle: new FakeLifecycle(),
    notifier: noNotifier,
    reload,
    logger: silentLogger,
    tokens: new TokenStore(new FakeStore()),
    identify: async () => ({ identity: 'ann@1000', scope: 'admin' }),
    isReady: () => true,
    run: 1_700,
    signal: stop.signal,
    ...options,
  });
  const server = createHttpServer(app);
  await listenUnix(server, socket);
  const client = new Client('http://localhost', { socketPath: socket });
  onTestFinished(async () => {
    stop.abort();
    await client.destroy();
    await closeHttpServer(server);
  });
  const send = async (request: Dispatcher.RequestOptions): Promise<Answer> => {
    const { statusCode, headers, body } = await client.request(request);
    const text = await body.text();
    const isJson = String(headers['content-type']).startsWith('application/json');
    return { status: statusCode, headers, text, json: isJson ? JSON.parse(text) : undefined };
  };
  return {
    runtime,
    client,
    server,
    socket,
    stop,
    send,
    get: (path, headers = {}) => send({ method: 'GET', path, headers }),
    post: (path, body) =>
      send({ method: 'POST', path, body: body === undefined ? null : JSON.stringify(body) }),
  };
}
