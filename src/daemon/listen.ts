import { chmod, lchown, lstat, mkdir, unlink } from 'node:fs/promises';
import { connect, createServer, isIP, type Server } from 'node:net';
import { dirname } from 'node:path';
import type { ListenAddress } from '../config/index.js';
import { errnoOf, errorMessage, isMissingFile, isVmpulseError, VmpulseError } from '../model/errors.js';
import type { HostNetwork } from '../model/link.js';
import { requireSafeFolder } from './trusted-paths.js';

/** How long a socket that exists may take to show that somebody serves it, ms. */
const ANSWER_MS = 1_000;

/**
 * Serves on a Unix socket that its owner and the group `gid` may use (mode 0660); default the group of this process. A
 * socket that nobody serves any more is replaced; its folder is made.
 *
 * Errors: ERR_VMPULSE_UNTRUSTED when others may write its folder; ERR_VMPULSE_ADDRESS_IN_USE when somebody serves it or it is no socket; ERR_VMPULSE_SYSCALL with `errno` when it
 * cannot be made.
 */
export async function listenUnix(
  server: Server,
  path: string,
  gid = process.getegid?.() ?? 0,
): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await requireSafeFolder(dirname(path));
    if (await leftOver(path)) await unlink(path);
    await listening(server, () => server.listen(path));
    if (gid !== process.getegid?.()) await giveToGroup(path, gid);
    await chmod(path, 0o660);
  } catch (error) {
    throw listenError(error, path);
  }
}

/** Gives a socket of ours to a group. Nobody else can have put a link there: the folder is safe. Throws ERR_VMPULSE_SYSCALL. */
export async function giveToGroup(path: string, gid: number): Promise<void> {
  try {
    await lchown(path, process.geteuid?.() ?? 0, gid);
  } catch (cause) {
    throw cannotGive(path, gid, errnoOf(cause), cause);
  }
}

function cannotGive(path: string, gid: number, errno: string, cause?: unknown): VmpulseError {
  const text = `cannot give ${path} to the group ${gid}: ${errno}; run as root, or as a member of that group`;
  return new VmpulseError('ERR_VMPULSE_SYSCALL', text, { cause, details: { errno, syscall: 'lchown' } });
}

/** Serves on a loopback port. Throws ERR_VMPULSE_ARGUMENT for any other address, ERR_VMPULSE_ADDRESS_IN_USE. */
export async function listenLoopback(
  server: Server,
  address: { readonly host: string; readonly port: number },
): Promise<void> {
  const { host } = address;
  const isLoopback = host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
  if (!isLoopback) {
    throw new VmpulseError(
      'ERR_VMPULSE_ARGUMENT',
      `ports are served on loopback only, not on ${host}; give 127.0.0.1`,
    );
  }
  await listenTcp(server, address);
}

/** Serves on that address and port. Throws ERR_VMPULSE_ADDRESS_IN_USE; ERR_VMPULSE_SYSCALL with `errno`. */
export async function listenTcp(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  const name = isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
  try {
    await listening(server, () => server.listen({ host, port, exclusive: true }));
  } catch (error) {
    throw listenError(error, name);
  }
}

/** Whether something could be served there now; nobody who comes meanwhile is let in. Throws as listenTcp() does. */
export async function tryAddress(address: { readonly host: string; readonly port: number }): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  await listenTcp(server, address);
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

/** As tryAddress(); the address of a network need not be there yet where the configuration makes that network. */
export async function tryConfigured(address: ListenAddress, networks: readonly HostNetwork[]): Promise<void> {
  try {
    await tryAddress(address);
  } catch (error) {
    const isMissing = isVmpulseError(error, 'ERR_VMPULSE_SYSCALL') && error.details.errno === 'EADDRNOTAVAIL';
    const isMade = networks.some((network) => network.address?.split('/', 1)[0] === address.host);
    if (!isMissing || !isMade) throw error;
  }
}

/** Whether a socket of ours could be given to a group. Throws ERR_VMPULSE_SYSCALL. */
export function requireMayGiveToGroup(path: string, gid: number): void {
  const may = process.geteuid?.() === 0 || process.getgroups?.().includes(gid) === true;
  if (!may) throw cannotGive(path, gid, 'EPERM');
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    listen();
  });
}

/** True for a socket that nobody serves. Throws ERR_VMPULSE_ADDRESS_IN_USE where something must not be removed. */
async function leftOver(path: string): Promise<boolean> {
  const found = await lstat(path).catch((error: unknown) => {
    if (isMissingFile(error)) return undefined;
    throw error;
  });
  if (!found) return false;
  if (!found.isSocket()) {
    throw new VmpulseError(
      'ERR_VMPULSE_ADDRESS_IN_USE',
      `${path} exists and is no socket; remove it or name another one`,
    );
  }
  if (await isServed(path)) {
    throw new VmpulseError(
      'ERR_VMPULSE_ADDRESS_IN_USE',
      `another process serves ${path}; end it or name another socket`,
    );
  }
  return true;
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (served: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(served);
    };
    // Whoever holds it but does not accept is still there.
    const timer = setTimeout(() => end(true), ANSWER_MS);
    socket.once('connect', () => end(true));
    socket.once('error', (error) => end(errnoOf(error) !== 'ECONNREFUSED'));
  });
}

function listenError(error: unknown, where: string): VmpulseError {
  if (error instanceof VmpulseError) return error;
  const errno = errnoOf(error);
  if (errno === 'EADDRINUSE') {
    return new VmpulseError(
      'ERR_VMPULSE_ADDRESS_IN_USE',
      `${where} is taken; end whoever serves it or name another address`,
      { cause: error },
    );
  }
  const remedy = errno === 'EACCES' || errno === 'EPERM' ? '; run as root or name another place' : '';
  return new VmpulseError(
    'ERR_VMPULSE_SYSCALL',
    `cannot serve on ${where}: ${errorMessage(error)}${remedy}`,
    {
      cause: error,
      details: { errno, syscall: 'listen' },
    },
  );
}
