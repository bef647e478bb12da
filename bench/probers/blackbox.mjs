// blackbox_exporter as a prober. It probes when it is scraped, so a client on the other core scrapes it, as often as the
// rate wants and as it answers.
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { CORES, spawnOn } from '../cores.mjs';
import { loopbackAddress } from '../responder.mjs';
import { findProgram } from './debian.mjs';

const MODULES = `modules:
  tcp:
    prober: tcp
    tcp:
      preferred_ip_protocol: ip4
  http:
    prober: http
    http:
      preferred_ip_protocol: ip4
      tls_config:
        insecure_skip_verify: true
`;
const CONNECTIONS = 16;
const START_DEADLINE_MS = 15_000;

/** Undefined where it is missing. */
export function blackbox(dir) {
  const program = findProgram('prometheus-blackbox-exporter');
  return program && { peer: 'blackbox_exporter', start: (job) => start(program, dir, job) };
}

async function start(program, parent, job) {
  const dir = await mkdtemp(join(parent, 'blackbox-'));
  const file = join(dir, 'blackbox.yml');
  await writeFile(file, MODULES);
  const address = `127.0.0.1:${await freePort()}`;
  const args = [`--config.file=${file}`, `--web.listen-address=${address}`, '--log.level=error'];
  const child = spawnOn(CORES.prober, program.path, args, { env: program.env, stdio: 'ignore' });
  const ended = once(child, 'exit');
  const pool = new Pool(`http://${address}`, { connections: CONNECTIONS });
  const scraper = new Scraper(pool, job);
  const stop = async () => {
    await scraper.stop();
    await pool.destroy();
    child.kill('SIGKILL');
    await ended;
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await answers(pool);
    scraper.run();
  } catch (error) {
    await stop();
    throw error;
  }
  return { pid: child.pid, count: async () => ({ ...scraper.total }), stop };
}

class Scraper {
  total = { ok: 0, failed: 0 };
  #pool;
  #job;
  #next = 0;
  #stopped = false;
  #loops = [];

  constructor(pool, job) {
    this.#pool = pool;
    this.#job = job;
  }

  run() {
    this.#loops = Array.from({ length: CONNECTIONS }, () => this.#loop());
  }

  async stop() {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }

  async #loop() {
    while (!this.#stopped) {
      const { kind, targets, port } = this.#job;
      const place = `${loopbackAddress(this.#next++ % targets)}:${port}`;
      const target = kind === 'tcp' ? place : `${kind}://${place}/healthz`;
      const path = `/probe?module=${kind === 'tcp' ? 'tcp' : 'http'}&target=${encodeURIComponent(target)}`;
      const ok = await this.#probe(path);
      this.total[ok ? 'ok' : 'failed']++;
    }
  }

  async #probe(path) {
    try {
      const { body } = await this.#pool.request({ method: 'GET', path });
      return (await body.text()).includes('\nprobe_success 1');
    } catch {
      return false;
    }
  }
}

async function answers(pool) {
  const endsAt = performance.now() + START_DEADLINE_MS;
  for (;;) {
    try {
      const { body } = await pool.request({ method: 'GET', path: '/-/healthy' });
      return await body.dump();
    } catch (error) {
      if (performance.now() > endsAt) throw error;
      await sleep(50);
    }
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
