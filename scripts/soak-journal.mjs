#!/usr/bin/env node
// Fills a journal with millions of entries and tells how long it takes to answer, and to write while it is pruned.
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Database from 'libsql';
import { openJournal } from '../dist/index.js';

const HELP = `Usage: npm run soak -- journal [--entries N] [--vms N] [--json FILE]

Fills a journal on this disk (TMPDIR) with entries of all types, then asks it as operators do: by VM, type, class and time,
newest and oldest first, first pages and pages deep inside. Each question is asked 20 times; the slowest must take less than
100 ms. At last it appends while old entries are pruned.

  --entries N  default 10000000, about 4 GB
  --vms N      default 1000; a third of all entries is about one of them
  --json FILE  writes the figures there

Exit status: 0 fast enough, 1 not, 64 usage.`;

const LIMIT_MS = 100;
const ASKED = 20;
const BATCH = 20_000;
const START_MS = Date.UTC(2026, 0, 1);
/** Between two entries, ms: ten million of them are 30 days. */
const STEP_MS = 259;
const PATIENT = { deadlineMs: 600_000 };

const TYPES = [
  'transition',
  'transition',
  'transition',
  'transition',
  'health',
  'decision',
  'vmm-event',
  'input',
  'daemon',
];
const FAILURES = [
  ['connect-timeout', 'timeout'],
  ['connection-refused', 'refused'],
  ['bad-status', 'invalid-response'],
  ['authentication-failed', 'auth'],
];

async function main() {
  const { values } = parseArgs({
    options: {
      entries: { type: 'string', default: '10000000' },
      vms: { type: 'string', default: '1000' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const [entries, vms] = ['entries', 'vms'].map((name) => positive(name, values[name]));
  const dir = mkdtempSync(join(tmpdir(), 'vmpulse-soak-journal-'));
  try {
    const figures = await soak(join(dir, 'journal.db'), entries, vms);
    if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
    process.exitCode = figures.questions.every(({ maxMs }) => maxMs < LIMIT_MS) ? 0 : 1;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function soak(path, entries, vms) {
  // Its tables are made by vmpulse; only the filling goes around it.
  await (await openJournal({ path })).close();
  const filledMs = fill(path, entries, vms);
  const bytes = statSync(path).size;
  console.log(
    `${entries.toLocaleString('en')} entries, ${(bytes / 1e9).toFixed(2)} GB, filled in ${(filledMs / 1000).toFixed(0)} s`,
  );
  const beganMs = performance.now();
  const journal = await openJournal({ path, maxAgeMs: 1e14, maxBytes: 1e13, deadlineMs: PATIENT.deadlineMs });
  const openMs = performance.now() - beganMs;
  console.log(`opened in ${openMs.toFixed(0)} ms`);
  const questions = [];
  for (const [name, query] of questionsOf(entries)) questions.push(await askOften(journal, name, query));
  await journal.close();
  const pruning = await appendWhilePruning(path, bytes);
  return { entries, vms, bytes, openMs, questions, pruning };
}

function fill(path, entries, vms) {
  const beganMs = performance.now();
  const db = new Database(path);
  db.exec('PRAGMA synchronous = OFF');
  db.exec('PRAGMA cache_size = -400000');
  const insert = db.prepare(
    'INSERT INTO entries (at_ms, vm, type, action_id, text, data, class) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  for (let from = 0; from < entries; from += BATCH) {
    db.exec('BEGIN');
    for (let n = from; n < Math.min(entries, from + BATCH); n++) insert.run(rowOf(n, vms));
    db.exec('COMMIT');
    if (from % (BATCH * 50) === 0) console.log(`  ${from.toLocaleString('en')} entries`);
  }
  db.close();
  return performance.now() - beganMs;
}

/** Entry `n`: a third is about one VM that flaps, one in a thousand belongs to a recovery. */
function rowOf(n, vms) {
  const atMs = START_MS + n * STEP_MS;
  const vm = n % 3 === 0 ? 'soak/noisy' : `soak/vm-${(n * 7919) % vms}`;
  if (n % 2000 === 1 || n % 2000 === 1001) {
    const type = n % 2000 === 1 ? 'action-start' : 'action-end';
    return [
      atMs,
      vm,
      type,
      `action-${Math.floor(n / 2000)}`,
      `${type} of a reset`,
      '{"step":"reset","attempt":1}',
      null,
    ];
  }
  const type = TYPES[n % TYPES.length];
  const [reason, failure] = FAILURES[n % 97 === 0 ? 3 : n % 3];
  const isFailure = type === 'transition' && n % 2 === 0;
  const data = {
    probe: 'http',
    kind: 'httpGet',
    from: 'ok',
    to: isFailure ? 'failed' : 'ok',
    reason,
    count: 3,
    streakStartMs: atMs,
    lastOkMs: atMs,
    durationMs: 12,
    coalesced: 0,
  };
  return [
    atMs,
    vm,
    type,
    null,
    `probe http ok → ${data.to} (${reason})`,
    JSON.stringify(data),
    isFailure ? failure : null,
  ];
}

function questionsOf(entries) {
  const [first, middle, last] = [0, 0.5, 1].map((share) => START_MS + Math.floor(entries * share) * STEP_MS);
  const page = { order: 'newest', limit: 100 };
  const week = { fromMs: last - 7 * 86_400_000 };
  return [
    ['newest of all', page],
    ['oldest of all', { ...page, order: 'oldest' }],
    ['one VM', { ...page, vm: 'soak/vm-7' }],
    ['one VM, a week', { ...page, vm: 'soak/vm-7', ...week }],
    ['the noisy VM, from the middle on', { ...page, vm: 'soak/noisy', fromMs: middle, order: 'oldest' }],
    ['recoveries of a week', { ...page, types: ['action-start'], ...week }],
    ['recoveries of the noisy VM', { ...page, vm: 'soak/noisy', types: ['action-start', 'action-end'] }],
    ['a class that is rare', { ...page, classes: ['auth'] }],
    ['a class that is rare, one VM', { ...page, vm: 'soak/vm-7', classes: ['auth'] }],
    ['a class that no entry has', { ...page, classes: ['stalled'] }],
    ['a page deep inside', { ...page, cursor: `${middle}.${Math.floor(entries / 2)}` }],
    ['a VM that is not there', { ...page, vm: 'soak/nobody' }],
    ['a time before all of it', { ...page, untilMs: first }],
    ['a page of 1,000', { ...page, limit: 1_000 }],
  ];
}

async function askOften(journal, name, query) {
  const taken = [];
  for (let i = 0; i < ASKED; i++) {
    const beganMs = performance.now();
    await journal.query(query);
    taken.push(performance.now() - beganMs);
  }
  const figures = { name, firstMs: taken[0], ...spread(taken) };
  console.log(
    `${figures.maxMs < LIMIT_MS ? '✓' : '✗'} ${name}: ${told(figures)}, the first ${figures.firstMs.toFixed(1)} ms`,
  );
  return figures;
}

/** Appends, once without and once with old entries that go meanwhile. */
async function appendWhilePruning(path, bytes) {
  const figures = {};
  for (const [name, maxBytes] of [
    ['alone', 1e13],
    ['while pruning', bytes * 0.9],
  ]) {
    const journal = await openJournal({ path, maxAgeMs: 1e14, maxBytes, deadlineMs: PATIENT.deadlineMs });
    await journal.append([entryNow()], PATIENT);
    // Pruning begins two seconds after a write.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    const taken = [];
    for (let i = 0; i < 200; i++) {
      const beganMs = performance.now();
      await journal.append([entryNow()], PATIENT);
      taken.push(performance.now() - beganMs);
    }
    figures[name] = spread(taken);
    console.log(`append ${name}: ${told(figures[name])}`);
    await journal.close();
  }
  return figures;
}

function entryNow() {
  return {
    atMs: Date.now(),
    vm: 'soak/vm-1',
    type: 'action-start',
    actionId: null,
    text: 'reset begins',
    data: {},
  };
}

function spread(taken) {
  const sorted = taken.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

function told({ p50Ms, p99Ms, maxMs }) {
  return `p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, max ${maxMs.toFixed(1)} ms`;
}

function positive(name, text) {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} ${text}: give a number above 0`);
  return value;
}

main().catch((error) => {
  console.error(`soak: ${error.message}\nSee npm run soak -- journal --help`);
  process.exitCode = 64;
});
