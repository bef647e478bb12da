import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { needsGuestAgent } from './availability.js';
import { QgaClient } from './qga-client.js';
import { bootLabVm, killLabVms } from './vm.js';

const TEST_MS = 180_000;
const CONFIG = '[exec]\nenabled = true\nallow = [["/bin/true"]]\n';

/** The host's files with what programs need beside them. */
const MOUNT = 'mkdir -p /host && mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144 hostroot /host';

/** Asks the port of the guest itself, and prints the answers: a guest has no other tool with AF_VSOCK. */
const ASK = String.raw`
socket(my $s, 40, 1, 0) or die "socket: $!";
connect($s, pack('S S L L x4', 40, 0, 9720, 1)) or die "connect: $!";
for my $question (@ARGV) { syswrite($s, "$question\n"); print scalar <$s>; }
`;

let dir: string | undefined;

afterAll(async () => {
  await killLabVms();
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
});

it('answers by AF_VSOCK, and runs nothing for who is not the host', { timeout: TEST_MS }, async (context) => {
  needsGuestAgent(context);
  dir = mkdtempSync(join(tmpdir(), 'vmp-avs-'));
  const options = { dir, modules: ['vsock', '9p'], hostRoot: true, agentConfig: CONFIG };
  const vm = await bootLabVm({ name: 'avs', ...options });
  await vm.waitReady();
  const qga = await QgaClient.connect(vm.qgaPath);
  try {
    expect(await qga.run('/bin/sh', '-c', MOUNT)).toMatchObject({ exitCode: 0 });
    const questions = [
      '{"execute":"guest-info"}',
      '{"execute":"guest-exec","arguments":{"path":"/bin/true"}}',
      '{"execute":"vmpulse-resources"}',
    ];
    const asked = await qga.run('/bin/chroot', '/host', '/usr/bin/perl', '-e', ASK, ...questions);
    expect(asked).toMatchObject({ exitCode: 0, stderr: '' });
    const [info, exec, resources] = asked.stdout.split('\n');
    expect(JSON.parse(info ?? '')).toMatchObject({ return: { agent: 'vmpulse-agent' } });
    // The loopback is CID 1, which is not the host.
    expect(JSON.parse(exec ?? '')).toMatchObject({ error: { class: 'CommandNotAllowed' } });
    expect(JSON.parse(resources ?? '')).toMatchObject({ return: { bootId: await vm.bootId() } });
  } finally {
    qga.close();
  }
});
