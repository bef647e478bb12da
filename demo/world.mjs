import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLI, vmpulse } from './cli.mjs';
import { daemonConfig, vmDocuments } from './manifests.mjs';
import { isAlive, processesNaming } from './processes.mjs';
import { final, until } from './wait.mjs';

const BOOT_DEADLINE_MS = 120_000;
const STOP_DEADLINE_MS = 15_000;

/** A free loopback port; taken again between now and its use only by bad luck, which the start then reports. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A directory of its own with everything that the daemon gets: its configuration and the manifests of its VMs. */
export async function createWorld(lab, names = ['web-1', 'web-2', 'web-3']) {
  const dir = mkdtempSync(join(tmpdir(), 'vmpulse-demo-'));
  const vms = [];
  for (const name of names) {
    const port = await freePort();
    // Of its own: by default it derives from the name, and VMs of another world on this host have the same ones.
    const uuid = randomUUID();
    vms.push({ id: `demo/${name}`, name, uuid, port, url: `http://127.0.0.1:${port}` });
  }
  const world = { dir, socket: join(dir, 'run', 'vmpulse.sock'), config: join(dir, 'config.yaml'), vms };
  mkdirSync(join(dir, 'vms.d'));
  writeFileSync(world.config, daemonConfig(world));
  for (const vm of vms) writeFileSync(join(dir, 'vms.d', `${vm.name}.yaml`), vmDocuments(vm, lab));
  writeFileSync(join(dir, 'world.json'), JSON.stringify(world));
  return world;
}

/** Starts the daemon on the world; its log goes to a file. */
export function startDaemon(world) {
  const log = openSync(join(world.dir, 'daemon.log'), 'a');
  const child = spawn(process.execPath, [CLI, 'run', '--config', world.config], {
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  return child;
}

/** Resolves once every VM is healthy. */
export async function allHealthy(world, daemon, signal, deadlineMs = BOOT_DEADLINE_MS) {
  await until(`${world.vms.length} healthy VMs`, deadlineMs, async () => {
    if (signal.aborted) throw final(signal.reason);
    if (daemon.exitCode !== null) throw final(new Error(`the daemon ended with status ${daemon.exitCode}`));
    const status = await vmpulse(world, 'status');
    return status.vms.length === world.vms.length && status.vms.every((vm) => vm.health === 'healthy')
      ? true
      : undefined;
  });
}

export function daemonLog(world, lines = 20) {
  return readFileSync(join(world.dir, 'daemon.log'), 'utf8').trim().split('\n').slice(-lines).join('\n');
}

/** Ends daemon and VMs and removes every file. */
export async function destroyWorld(world, daemon) {
  await endProcesses(world, daemon);
  rmSync(world.dir, { recursive: true });
}

/** VMMs outlive the daemon by design, so they are ended here. */
export async function endProcesses(world, daemon) {
  const ended = () => daemon.exitCode !== null || daemon.signalCode !== null;
  if (!ended()) daemon.kill('SIGTERM');
  await until('the daemon to end', STOP_DEADLINE_MS, () => (ended() ? true : undefined));
  const vmms = processesNaming(`${world.dir}/`);
  for (const vmm of vmms) if (isAlive(vmm)) process.kill(vmm.pid, 'SIGKILL');
  await until('the VMs to end', STOP_DEADLINE_MS, () => (vmms.some(isAlive) ? undefined : true));
}
