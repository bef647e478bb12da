import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { needsLab } from './availability.js';
import { poll } from './poll.js';
import { QgaClient } from './qga-client.js';
import { bootLabVm, killLabVms } from './vm.js';

const TEST_MS = 360_000;
const SCRIPT = fileURLToPath(new URL('vsock-in-guest.mjs', import.meta.url));

/** The host's files with what programs need beside them. */
const MOUNTS = `mkdir -p /host && mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144 hostroot /host &&
mount --bind /proc /host/proc && mount --bind /dev /host/dev && mount -t tmpfs tmpfs /host/run`;
const RUN = `chroot /host /usr/bin/env PATH=/usr/local/bin:/usr/bin:/bin ${process.execPath} ${SCRIPT} > /run/vsock.out 2>&1; echo ended >> /run/vsock.out`;

let dir: string | undefined;

afterAll(async () => {
  await killLabVms();
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
});

// The host itself makes no vsock connection: the guest's kernel has a loopback, CID 1.
it('probes vsock ports by AF_VSOCK, in a guest', { timeout: TEST_MS }, async (context) => {
  needsLab(context);
  dir = mkdtempSync(join(tmpdir(), 'vmp-vsock-'));
  const vm = await bootLabVm({ name: 'vsock', dir, modules: ['vsock', '9p'], hostRoot: true });
  await vm.waitReady();
  const agent = await QgaClient.connect(vm.qgaPath);
  try {
    const mounted = await agent.run('/bin/sh', '-c', MOUNTS);
    expect(mounted).toMatchObject({ exitCode: 0 });
    await agent.execute('guest-exec', { path: '/bin/sh', arg: ['-c', RUN] });
    const output = await poll('the probes in the guest', 240_000, async () => {
      const { stdout } = await agent.run('/bin/cat', '/run/vsock.out');
      return stdout.endsWith('ended\n') ? stdout : undefined;
    });
    const line = output.split('\n').find((text) => text.startsWith('{'));
    expect(line, output).toBeDefined();
    expect(JSON.parse(line ?? '{}'), output).toEqual({
      connect: 'ok',
      exchange: 'ok',
      mismatch: 'bad-body',
      http: 'ok',
      grpc: 'ok',
      noGrpc: 'protocol-error',
      refused: 'connection-refused',
      refusedTalk: 'connection-refused',
      nobody: 'host-unreachable',
    });
  } finally {
    agent.close();
  }
});
