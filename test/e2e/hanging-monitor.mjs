// Stands where QEMU stands: runs it with the arguments given, and passes its monitor on until SIGUSR1. From then on the
// monitor hangs while the guest lives: who is connected hears nothing more, who connects is greeted and never answered.
// SIGUSR2 lets go: connections that hung are closed, new ones are passed on.
import { spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';

const GREETING =
  '{"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""}, "capabilities": []}}\r\n';
const RETRY_MS = 20;

const given = process.argv.slice(2);
const monitor = /,id=monitor,path=([^,]+),/;
const path = given.map((arg) => monitor.exec(arg)?.[1]).find((found) => found !== undefined);
const behind = `${path}.real`;
const args = given.map((arg) => (monitor.test(arg) ? arg.replace(path, behind) : arg));

let hangs = false;
const clients = new Set();

function passOn(client) {
  const qemu = connect(behind);
  qemu.once('error', () => {
    // QEMU is not there yet.
    if (!client.destroyed) setTimeout(() => passOn(client), RETRY_MS);
  });
  qemu.once('connect', () => {
    qemu.on('error', () => {});
    client.on('data', (data) => hangs || qemu.write(data));
    qemu.on('data', (data) => hangs || client.write(data));
    client.once('close', () => qemu.destroy());
    qemu.once('close', () => client.destroy());
  });
}

const server = createServer((client) => {
  clients.add(client);
  client.once('close', () => clients.delete(client));
  client.on('error', () => {});
  if (hangs) client.resume().write(GREETING);
  else passOn(client);
});

process.on('SIGUSR1', () => {
  hangs = true;
});
process.on('SIGUSR2', () => {
  hangs = false;
  for (const client of clients) client.destroy();
});

const vmm = spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...args], { stdio: 'inherit' });
vmm.once('exit', (code) => process.exit(code ?? 1));
server.listen(path);
