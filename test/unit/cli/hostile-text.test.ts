import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { TokenStore } from '../../../src/daemon/access/token-store.js';
import type { StoredJournalEntry } from '../../../src/model/ports.js';
import type { VmId } from '../../../src/model/vm.js';
import type { NotifyApi } from '../../../src/notify/notify-views.js';
import type { HookApi } from '../../../src/runtime/hooks/hook-views.js';
import type { ExplainView, HostView, VmView } from '../../../src/runtime/views.js';
import { FakeLifecycle } from '../daemon/fake-lifecycle.js';
import { noNotifier } from '../daemon/fake-notifier.js';
import { explainView, FakeRuntime, vmView } from '../daemon/fake-runtime.js';
import { FakeStore } from '../daemon/fake-store.js';
import { serve } from '../daemon/helpers.js';
import { runCommandLine } from './in-process.js';

/** Sets the title, clears the screen (also by C1), rings, moves back, turns the writing around, breaks the line. */
const STEERS = '\u001b]0;owned\u0007\u001b[2J\u009b2J\b\u202e\u2028\u007f\nfake line';
/** And longer than anything that is shown to a person. */
const HOSTILE = `${STEERS}${'~'.repeat(10_240)}`;
/** The same in one line, for what ends with the line it stands in. */
const HOSTILE_LINE = HOSTILE.replaceAll(/[\n\u2028]/g, '');
/** What names a VM; the configuration lets nothing else be a name. */
const NAMES: ReadonlySet<string> = new Set(['id', 'vm', 'actionId']);

/** The same with HOSTILE in every text that guests, documents or persons make. */
function poisoned<T>(value: T, key = ''): T {
  if (typeof value === 'string') return (NAMES.has(key) ? value : `${value}${HOSTILE}`) as T;
  if (Array.isArray(value)) return value.map((item) => poisoned(item, key)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, poisoned(item, name)])) as T;
}

const ENTRY = { atMs: Date.now() - 60_000, vm: 'default/web-1', text: HOSTILE };
const TURNED = { probe: HOSTILE, from: 'ok', to: 'failed', reason: 'connect-timeout' };
const BEGUN = {
  ...{ step: HOSTILE, attempt: 1 },
  diagnosis: { kind: HOSTILE, cause: HOSTILE, evidence: [{ text: HOSTILE }] },
};
const HISTORY: readonly StoredJournalEntry[] = [
  { ...ENTRY, seq: 1, type: 'transition', actionId: null, data: TURNED },
  { ...ENTRY, seq: 2, type: 'action-start', actionId: 'a-1', data: BEGUN },
  { ...ENTRY, seq: 3, type: 'action-end', actionId: 'a-1', data: { result: 'done' } },
];
const HOOK: ReturnType<HookApi['list']>[number] = {
  id: HOSTILE,
  vm: 'default/web-1',
  event: 'pre-start',
  program: HOSTILE,
  user: HOSTILE,
  timeoutMs: 1,
  origin: 'added',
  author: HOSTILE,
  addedAtMs: 1,
};
const HOOK_RUN = {
  ...{ atMs: 1, vm: 'default/web-1', event: HOSTILE, program: HOSTILE, origin: HOSTILE, reason: HOSTILE },
  ...{ result: HOSTILE, text: HOSTILE, tookMs: 1, stdout: HOSTILE, stderr: HOSTILE },
};
const CHANNEL: ReturnType<NotifyApi['list']>[number] = {
  name: HOSTILE,
  kind: 'email',
  target: HOSTILE,
  level: 'warnings',
  vms: [HOSTILE],
  origin: 'added',
  waiting: 1,
  trouble: HOSTILE,
};
const SETTINGS = [
  { path: 'logLevel', value: HOSTILE, origin: HOSTILE },
  { path: HOSTILE, value: { [HOSTILE]: HOSTILE }, origin: HOSTILE },
];

class HostileRuntime extends FakeRuntime {
  override view(): HostView {
    return { ...poisoned(super.view()), engine: 'native' };
  }

  override viewVm(vm: VmId): VmView {
    return poisoned(super.viewVm(vm));
  }

  override async explain(vm: VmId): Promise<ExplainView> {
    return poisoned(explainView(vm));
  }
}

async function hostile() {
  const runtime = new HostileRuntime();
  runtime.vms = [vmView('default/web-1', { labels: { [HOSTILE]: HOSTILE } }), vmView('lab/db')];
  runtime.holds = [{ vm: null, reason: HOSTILE, author: HOSTILE, untilMs: null }];
  runtime.entries = [...HISTORY];
  runtime.hooks = {
    ...runtime.hooks,
    list: () => [HOOK],
    logs: async () => [HOOK_RUN],
  };
  const { now, list } = runtime.checks;
  runtime.checks.now = async (vm) => poisoned(await now(vm));
  runtime.checks.list = (vm) => poisoned(list(vm));
  const { exec, stats } = runtime.guests;
  runtime.guests.exec = async (request) => ({ ...(await exec(request)), stdout: HOSTILE, stderr: HOSTILE });
  runtime.guests.stats = async (vm, options) => poisoned(await stats(vm, options));
  runtime.network.problems = [
    { fault: 'bridge-missing', device: HOSTILE, vm: 'lab/db', text: HOSTILE, canRepair: true },
  ];
  runtime.renderMetrics = async () =>
    new TextEncoder().encode(`# HELP x ${HOSTILE_LINE}\nx{a="${HOSTILE_LINE}"} 1\n`);
  const lifecycle = new FakeLifecycle();
  lifecycle.logs.push(...Array.from({ length: 3 }, () => ({ text: HOSTILE, file: '1:2', next: 1 })));
  const { view } = lifecycle.configuration;
  lifecycle.configuration.view = (vm) => ({ ...view(vm), settings: SETTINGS });
  const tokens = new TokenStore(new FakeStore());
  await tokens.create({ name: HOSTILE, scope: 'read', forMs: null, author: HOSTILE });
  const notifier: NotifyApi = { ...noNotifier, list: () => [CHANNEL] };
  const { socket } = await serve({ runtime, lifecycle, tokens, notifier });
  return (args: readonly string[], { isTTY = false } = {}) =>
    runCommandLine([...args.slice(0, 1), '--socket', socket, ...args.slice(1)], { isTTY });
}

/** Everything but lines and tabs that could steer a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const STEERING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

/** Documents of JSON or YAML, of which there may be several. */
function parsed(stdout: string): unknown {
  const documents = parseAllDocuments(stdout);
  return documents.map((document) => ('toJS' in document ? document.toJS() : undefined));
}

/** The texts with something hostile in them, wherever they are, names of members among them. */
function hostileIn(value: unknown): string[] {
  if (typeof value === 'string') return value.includes('owned') ? [value] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) => [...hostileIn(name), ...hostileIn(item)]);
}

const VERBS: readonly (readonly string[])[] = [
  ['status'],
  ['status', 'web-1'],
  ['status', '--all'],
  ['status', '--verbose'],
  ['status', '--check-now', '--verbose'],
  ['explain', 'web-1'],
  ['policy', 'show', 'web-1'],
  ['vm', 'list'],
  ['vm', 'get', 'web-1'],
  ['vm', 'stats', 'web-1'],
  ['vm', 'exec', 'web-1', '--command', 'x'],
  ['vm', 'exec-batch', '--vm', 'web-*', '--command', 'x'],
  ['vm', 'release', 'web-1'],
  ['node', 'list'],
  ['intent', 'list'],
  ['maintenance', 'list'],
  ['network', 'check'],
  ['security-group', 'list'],
  ['journal', 'list'],
  ['recovery', 'log'],
  ['recovery', 'history'],
  ['health', 'status'],
  ['health', 'check', '--vm', 'web-1', '--verbose'],
  ['health', 'check-all', '--force'],
  ['health', 'report'],
  ['health', 'report', '--period', '1h'],
  ['health', 'history'],
  ['health', 'reset', 'web-1'],
  ['config', 'show'],
  ['config', 'get', 'logLevel'],
  ['autopilot', 'config', 'web-1', '--show'],
  ['hooks', 'list'],
  ['hooks', 'logs'],
  ['notify', 'list'],
  ['token', 'list'],
];

describe('text of guests, documents and persons', () => {
  it.each(
    VERBS.flatMap((args) => ['table', 'json', 'yaml'].map((format) => [[...args, '--format', format]])),
  )('steers no terminal by vmpulse %j', async (args) => {
    const { stdout, stderr } = await (await hostile())(args);
    expect(stdout.length).toBeGreaterThan(0);
    expect(stdout).not.toMatch(STEERING);
    expect(stderr).not.toMatch(STEERING);
    if (!args.includes('exec')) expect(stdout).not.toMatch(/^fake line/m);
    // What is recorded is shortened by the daemon itself, and told of recoveries in its own words.
    if (args.includes('table') || args.includes('recovery')) return;
    const whole = args.includes('journal') || args.includes('history') ? STEERS : HOSTILE;
    for (const text of hostileIn(parsed(stdout))) expect(text).toContain(whole);
  });

  it.each([
    [['vm', 'logs', 'web-1']],
    [['metrics']],
    [['metrics', '--format', 'json']],
  ])('nor by vmpulse %j', async (args) => {
    const run = await hostile();
    const told = await run(args, { isTTY: true });
    expect(told).toMatchObject({ status: 0, stderr: '' });
    expect(told.stdout).toContain('owned');
    expect(told.stdout).not.toMatch(STEERING);
  });

  it('comes to a program that reads metrics as it is', async () => {
    expect((await (await hostile())(['metrics'])).stdout).toContain(HOSTILE_LINE);
  });

  it.each([
    [['explain', STEERS]],
    [[STEERS, '--debug']],
    [['vm', 'stop', STEERS]],
    [['probe', STEERS, STEERS]],
    [['token', 'revoke', STEERS]],
    [[STEERS]],
  ])('nor by %j', async (args) => {
    const { stdout, stderr } = await (await hostile())(args);
    expect(stdout + stderr).not.toMatch(STEERING);
    expect((stdout + stderr).length).toBeGreaterThan(0);
  });
});
