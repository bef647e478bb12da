import { execFile } from 'node:child_process';
import { copyFile, readdir, stat } from 'node:fs/promises';
import { cpus, hostname, release, totalmem, uptime } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import type { LoadedConfig } from '../../config/index.js';
import { journalPageAnswer } from '../../daemon/answers/journal.js';
import { hostAnswer } from '../../daemon/answers/status.js';
import type { Deadline } from '../../model/deadline.js';
import { errorMessage } from '../../model/errors.js';
import { given } from '../../model/given.js';
import type { StoredJournalEntry } from '../../model/ports.js';
import { openJournal } from '../../runtime/journal/index.js';
import { VERSION } from '../../runtime/version.js';
import { vmPath } from '../cli.js';
import type { DaemonClient } from '../client.js';
import { historyQuery } from '../history-options.js';
import { pages } from '../pages.js';
import { chooseFolders, type Folders } from './folders.js';
import type { Stage } from './stage.js';

export interface GatherOptions {
  readonly client: DaemonClient;
  readonly configPath: string;
  /** Whether the daemon says where its folders are: it is on this host, and nobody named its configuration. */
  readonly asksFolders: boolean;
  /** How far back journal and log go, ms. */
  readonly lastMs: number;
}

/** What is known on the way. */
export interface Gathering extends GatherOptions {
  readonly stage: Stage;
  config?: LoadedConfig;
  folders: Folders;
}

/** One part of the archive. What it lacks it notes; what it throws, also for want of time, is noted for it. */
export interface Part {
  readonly name: string;
  run(gathering: Gathering, deadline: Deadline): Promise<void>;
}

const MIB = 1024 ** 2;
const MAX_LOG_BYTES = 16 * MIB;
const MAX_VM_FILE_BYTES = MIB;
const MAX_JOURNAL_ENTRIES = 20_000;
/** A larger journal is not copied where no daemon can be asked. */
const MAX_JOURNAL_COPY_BYTES = 512 * MIB;
const PAGE = 1_000;
/** VMs that are explained, those that are not well first. */
const MAX_EXPLAINED = 1_000;
const TOOL_MS = 20_000;
const MAX_DOCUMENT_BYTES = 4 * MIB;
const MAX_DOCUMENTS = 1_000;
/** What a VM's folders have that a person can read: no disks, no images, no snapshots. */
const READABLE = /(^|\.)(log|json|txt|ya?ml|pid)(\.\d+)?$/;

/** In this order: what is secret is learned from the configuration first. */
export const PARTS: readonly Part[] = [
  { name: 'configuration', run: configuration },
  { name: 'folders', run: chooseFolders },
  { name: 'versions', run: versions },
  { name: 'host', run: hostFacts },
  { name: 'doctor', run: doctor },
  { name: 'daemon', run: daemon },
  { name: 'journal', run: journal },
  { name: 'log', run: log },
  { name: 'folders of VMs', run: vmFolders },
];

async function configuration(gathering: Gathering, deadline: Deadline): Promise<void> {
  const { stage, configPath } = gathering;
  const { loadConfig } = await import('../../config/index.js');
  try {
    const config = await loadConfig(configPath, { optional: true, ...deadline.step() });
    gathering.config = config;
    await stage.json('configuration/effective.json', { file: configPath, ...config });
  } catch (error) {
    deadline.check();
    stage.lack('configuration/effective.json', errorMessage(error));
    for (const path of await documentsOf(configPath, deadline))
      await stage.source(join('configuration/as-it-is', path), path, MAX_DOCUMENT_BYTES);
  }
}

/** The files of a configuration that cannot be loaded. */
async function documentsOf(configPath: string, deadline: Deadline): Promise<readonly string[]> {
  const { readConfigSources } = await import('../../config/index.js');
  try {
    const { byHand, applied } = await readConfigSources(configPath, { optional: true, ...deadline.step() });
    return [configPath, ...[...byHand, ...applied].slice(0, MAX_DOCUMENTS).map(({ path }) => path)];
  } catch {
    deadline.check();
    // Where documents are, nothing says; so they are where they usually are.
    const folder = join(dirname(configPath), 'vms.d');
    const names = await readdir(folder).catch(() => []);
    const documents = names.filter((name) => /\.(ya?ml|json)$/.test(name)).slice(0, MAX_DOCUMENTS);
    return [configPath, ...documents.map((name) => join(folder, name))];
  }
}

async function versions({ stage }: Gathering): Promise<void> {
  const { arch, platform, version, versions: parts } = process;
  await stage.json('versions.json', {
    vmpulse: VERSION,
    node: version,
    platform,
    arch,
    kernel: release(),
    parts,
  });
}

const FACTS = [
  ...[
    'cmdline',
    'cpuinfo',
    'loadavg',
    'meminfo',
    'modules',
    'self/mounts',
    'net/dev',
    'swaps',
    'uptime',
    'version',
  ],
  ...['pressure/cpu', 'pressure/io', 'pressure/memory'],
];

async function hostFacts({ stage }: Gathering): Promise<void> {
  const facts = { host: hostname(), cpus: cpus().length, memoryBytes: totalmem(), uptimeSeconds: uptime() };
  await stage.json('host/summary.json', facts);
  for (const fact of FACTS) await stage.file(`host/proc/${fact}`, join('/proc', fact), MIB);
  await stage.file('host/os-release', '/usr/lib/os-release', MIB);
}

async function doctor({ stage, config, configPath }: Gathering, deadline: Deadline): Promise<void> {
  const { CHECKS, demandOf, demandOfDefaults, realHost, runDoctor } = await import('../../doctor/index.js');
  const demand = config === undefined ? demandOfDefaults() : demandOf(configPath, config);
  const { signal } = deadline.step();
  const asked = { host: realHost(), demand, checks: CHECKS, ...given({ signal }) };
  await stage.json('doctor.json', await runDoctor(asked));
}

const QUESTIONS = [
  'status',
  'config',
  'health',
  'intents',
  'maintenance',
  'readiness',
  'network',
  'recovery/log?limit=1000',
];

async function daemon({ stage, client }: Gathering, deadline: Deadline): Promise<void> {
  // Where there is no daemon the first question says so, and the others are not asked.
  const { vms } = await client.get('/v1/status', hostAnswer);
  for (const question of QUESTIONS) {
    deadline.check();
    const name = `daemon/${question.split('?')[0]?.replace('/', '-')}.json`;
    await ask(stage, name, async () => stage.json(name, await client.get(`/v1/${question}`, z.unknown())));
  }
  await ask(stage, 'daemon/metrics.prom', async () =>
    stage.text('daemon/metrics.prom', await client.text('/metrics')),
  );
  const order = [...vms].sort((a, b) => Number(a.health === 'healthy') - Number(b.health === 'healthy'));
  for (const { id } of order.slice(0, MAX_EXPLAINED)) {
    deadline.check();
    const name = `daemon/vms/${id}.json`;
    await ask(stage, name, async () => {
      const explanation = await client.get(vmPath('/v1/explain', id), z.unknown());
      const health = await client.get(`${vmPath('/v1/vms', id)}/health`, z.unknown());
      await stage.json(name, { explanation, health });
    });
  }
  for (const { id } of order.slice(MAX_EXPLAINED))
    stage.lack(`daemon/vms/${id}.json`, 'there are too many VMs');
}

async function ask(stage: Stage, name: string, work: () => Promise<void>): Promise<void> {
  await work().catch((error: unknown) => stage.lack(name, errorMessage(error)));
}

/** Newest first: from the daemon, or from a copy of its file. */
async function journal(gathering: Gathering, deadline: Deadline): Promise<void> {
  const { client, stage, lastMs } = gathering;
  const newest = { last: lastMs, order: 'newest', limit: PAGE } as const;
  const fromDaemon = (cursor: string | undefined) => {
    const query = historyQuery({ ...newest, ...given({ cursor }) });
    return client.get(`/v1/journal/entries?${query}`, journalPageAnswer);
  };
  let entries: readonly object[];
  try {
    entries = await everyPage(fromDaemon, deadline);
  } catch (error) {
    deadline.check();
    stage.lack('journal.jsonl from the daemon', errorMessage(error));
    entries = await journalOnDisk(gathering, deadline);
  }
  const lines = entries.map((entry) => `${JSON.stringify(stage.redactor.data(entry))}\n`);
  await stage.text('journal.jsonl', lines.join(''));
  if (entries.length >= MAX_JOURNAL_ENTRIES)
    stage.lack('older entries of the journal', `the newest ${MAX_JOURNAL_ENTRIES} are there`);
}

async function everyPage(
  ask: (cursor: string | undefined) => Promise<{ entries: readonly object[]; next: string | null }>,
  deadline: Deadline,
): Promise<object[]> {
  const found: object[] = [];
  for await (const { entries } of pages(ask, ({ next }) => next)) {
    found.push(...entries);
    if (found.length >= MAX_JOURNAL_ENTRIES) break;
    deadline.check();
  }
  return found;
}

/** A copy is opened: reading a journal writes beside it. */
async function journalOnDisk(
  { folders, lastMs, stage }: Gathering,
  deadline: Deadline,
): Promise<readonly object[]> {
  const path = join(folders.stateDir, 'journal.db');
  const { size } = await stat(path);
  if (size > MAX_JOURNAL_COPY_BYTES) throw new Error(`${path} is too large to be copied (${size} bytes)`);
  const copy = join(stage.scratch, 'journal.db');
  await copyFile(path, copy);
  await copyFile(`${path}-wal`, `${copy}-wal`).catch(() => {});
  const opened = await openJournal({ path: copy });
  try {
    const fromMs = Date.now() - lastMs;
    return await everyPage(
      (cursor): Promise<{ entries: readonly StoredJournalEntry[]; next: string | null }> =>
        opened.query({ fromMs, order: 'newest', limit: PAGE, ...given({ cursor }) }),
      deadline,
    );
  } finally {
    await opened.close();
  }
}

async function log({ stage, lastMs }: Gathering, deadline: Deadline): Promise<void> {
  const since = new Date(Date.now() - lastMs).toISOString().replace('T', ' ').slice(0, 19);
  const args = [
    '--unit',
    'vmpulse',
    '--no-pager',
    // What does not fit are the oldest lines.
    '--reverse',
    '--utc',
    '--since',
    `${since} UTC`,
    '--output',
    'short-iso',
  ];
  const { deadlineMs: timeout, signal } = deadline.step(TOOL_MS);
  const text = await new Promise<string>((resolve, reject) => {
    execFile('journalctl', args, { timeout, signal, maxBuffer: MAX_LOG_BYTES }, (error, stdout) => {
      const why = error && `journalctl: ${error.message.split('\n')[0]}`;
      if (why !== null && stdout === '') return reject(new Error(why));
      if (why !== null) stage.lack('older lines of vmpulse.log', why);
      resolve(stdout);
    });
  });
  await stage.text('vmpulse.log', text);
}

async function vmFolders(gathering: Gathering, deadline: Deadline): Promise<void> {
  const { stateDir, runDir } = gathering.folders;
  for (const [name, folder] of [
    ['state', stateDir],
    ['run', runDir],
  ] as const) {
    await ask(gathering.stage, `vms/${name}`, () =>
      walk(gathering.stage, `vms/${name}`, join(folder, 'vms'), deadline),
    );
    deadline.check();
  }
}

/** Regular files that a person can read, two folders deep and one more; links, sockets and devices are left where they are. */
async function walk(
  stage: Stage,
  name: string,
  folder: string,
  deadline: Deadline,
  depth = 0,
): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    deadline.check();
    const [below, path] = [`${name}/${basename(entry.name)}`, join(folder, entry.name)];
    if (entry.isDirectory() && depth < 3) await walk(stage, below, path, deadline, depth + 1);
    else if (entry.isFile() && READABLE.test(entry.name)) await stage.file(below, path, MAX_VM_FILE_BYTES);
    else if (!entry.isSymbolicLink())
      stage.lack(below, entry.isFile() ? 'it is no log and no record' : 'it is no regular file');
  }
}
