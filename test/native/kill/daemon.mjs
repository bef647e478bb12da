// A daemon that is there to be killed: Vmpulse with its real engine and journal, and a driver that only passes on what
// it is told to the process that survives (surviving-hypervisor.ts). Arguments: socket, journal, names of VMs.
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { DEFAULT_TIMING, openJournal, Vmpulse } from '../../../dist/index.js';
import { Pidfd } from '../../../dist/kernel/index.js';
import { DEFAULT_RECOVERY } from '../../../dist/policy/index.js';

const VIEW_MS = 20;
const [socketPath, journalPath, ...names] = process.argv.slice(2);

const socket = connect(socketPath);
await once(socket, 'connect');
// Who it belongs to has gone.
socket.once('close', () => process.exit(1));

const waiting = new Map();
const sessions = new Map();
let lastId = 0;

createInterface({ input: socket }).on('line', (line) => {
  const message = JSON.parse(line);
  if (message.event !== undefined) return sessions.get(message.vm)?.(message.event, Date.now());
  const { resolve, reject } = waiting.get(message.id);
  waiting.delete(message.id);
  if (message.error === undefined) resolve(message.value);
  else reject(new Error(message.error));
});

function ask(op, vm, data) {
  const id = ++lastId;
  socket.write(`${JSON.stringify({ id, op, vm, data })}\n`);
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

const driver = {
  name: 'qemu',
  supports: (_vm, step) => step === 'start' || step === 'reset',
  look: (vm) => ask('look', vm.id),
  async attach(vm, vmm) {
    const pidfd = new Pidfd(vmm.pid);
    const { startedAtMs } = await ask('look', vm.id);
    const never = async () => {
      throw new Error('not in this test');
    };
    return {
      process: vmm,
      startedAtMs,
      pidfd: pidfd.fd,
      monitor: { handle: 0, connected: false },
      onEvent: (listener) => sessions.set(vm.id, listener),
      status: () => ask('status', vm.id),
      reset: () => ask('reset', vm.id),
      ...{ reboot: never, pause: never, resume: never, continueProcess: never, stop: never, exec: never },
      capture: async () => ({ consoleTail: '', status: 'unknown', files: [] }),
      async detach() {
        sessions.delete(vm.id);
        pidfd.close();
      },
    };
  },
  proveStart: async () => {},
  start: (vm) => ask('start', vm.id),
};

/** Tells the survivor what is about to be on disk, and what is; it may never let this go on. */
function announcing(journal) {
  const append = journal.append.bind(journal);
  journal.append = async (entries, options) => {
    const of = (type) => entries.filter((entry) => entry.type === type).map(({ actionId }) => actionId);
    const [begun, ended] = [of('action-start'), of('action-end')];
    if (begun.length > 0) await ask('phase', null, { phase: 'before-entry', actions: begun });
    if (ended.length > 0) await ask('phase', null, { phase: 'before-result', actions: ended });
    await append(entries, options);
    if (begun.length > 0) await ask('phase', null, { phase: 'after-entry', actions: begun });
  };
  return journal;
}

const timing = { ...DEFAULT_TIMING, periodMs: 100, timeoutMs: 90, failureThreshold: 2 };
const probe = (name, role, check) => ({
  ...{ name, role, check, timing, enabled: true, weight: 1, critical: true },
});
const spec = (name) => ({
  id: `test/${name}`,
  namespace: 'test',
  name,
  uuid: '00000000-0000-4000-8000-000000000001',
  labels: {},
  annotations: {},
  runStrategy: 'Always',
  hypervisor: {
    ...{ driver: 'qemu', binary: 'none', machine: 'q35', accel: 'tcg', memoryMiB: 64, vcpus: 1, disks: [] },
    ...{ interfaces: [], guestAgent: false, pvpanic: true, extraArgs: [] },
  },
  probes: [
    probe('process', 'check', { kind: 'vmmProcess' }),
    probe('answers', 'liveness', { kind: 'custom', probe: 'answers', options: {} }),
  ],
  recovery: {
    ...DEFAULT_RECOVERY,
    ...{ enabled: true, graceMs: 5_000, stableForMs: 50, maxConsecutive: 1_000, maxPer24h: 100_000 },
    backoff: { baseMs: 1, capMs: 1, jitter: 0 },
    breaker: { failures: 100_000, holdMs: 1 },
  },
  machineDigest: 'digest-1',
});

const journal = announcing(await openJournal({ path: journalPath }));
const vmpulse = new Vmpulse({
  vms: names.map(spec),
  journal,
  drivers: { qemu: driver },
  policy: { maxBootsPerMinute: 100_000, maxConcurrentRecoveries: names.length },
  holdFile: `${journalPath}.hold`,
  probes: {
    answers: async (vm) =>
      (await ask('answers', vm.id)) ? { result: 'ok' } : { result: 'failed', reason: 'connection-refused' },
  },
});
await vmpulse.start();

let told = '';
const look = setInterval(async () => {
  const view = vmpulse.view().vms.map(({ id, health, vmm }) => ({ id, health, pid: vmm?.pid ?? 0 }));
  const text = JSON.stringify(view);
  if (text === told) return;
  told = text;
  await ask('view', null, view);
}, VIEW_MS);

process.once('SIGTERM', async () => {
  clearInterval(look);
  await vmpulse.close();
  await journal.close();
  process.exit(0);
});
