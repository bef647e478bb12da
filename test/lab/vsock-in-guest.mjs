// Runs in a guest that has the host's files: probes vsock ports of the guest itself (CID 1), and prints one line of JSON.
// The listeners are perl, which each Debian has; Node has no vsock.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { ProbeEngine } from '../../dist/engine/index.js';

const LISTENER = String.raw`
$| = 1; my ($port, $what) = @ARGV;
socket(my $s, 40, 1, 0) or die "socket: $!"; bind($s, pack('S S L L x4', 40, 0, $port, 4294967295)) or die "bind: $!";
listen($s, 8) or die "listen: $!"; print "ready\n";
while (accept(my $c, $s)) {
  if ($what eq 'echo') { my $line = <$c>; syswrite($c, "you said $line"); }
  if ($what eq 'http') { while (<$c>) { last if /^\r\n$/ } syswrite($c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); }
  close $c;
}`;

const listeners = [];
async function listen(port, what) {
  const child = spawn('/usr/bin/perl', ['-e', LISTENER, String(port), what], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  listeners.push(child);
  const [text] = await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => ['the listener ended']),
  ]);
  if (String(text) !== 'ready\n') throw new Error(String(text));
}

const hex = (text) => Buffer.from(text).toString('hex');
const engine = new ProbeEngine({ engine: 'native' });
const probe = async (endpoint, more = {}) => {
  const { outcome } = await engine.probeOnce({ kind: 'vsock', endpoint, ...more }, { timeoutMs: 20_000 });
  return outcome.result === 'ok' ? 'ok' : outcome.reason;
};
const results = {};
try {
  await listen(1024, 'close');
  await listen(1025, 'echo');
  await listen(1026, 'http');
  results.connect = await probe({ cid: 1, port: 1024 });
  const steps = [{ send: hex('ping\n') }, { expect: hex('you said ping') }];
  results.exchange = await probe({ cid: 1, port: 1025 }, { exchange: { steps } });
  const wrong = [{ send: hex('ping\n') }, { expect: hex('pong') }];
  results.mismatch = await probe({ cid: 1, port: 1025 }, { exchange: { steps: wrong } });
  const http = { scheme: 'http', port: 80, path: '/healthz', headers: [] };
  results.http = await probe({ cid: 1, port: 1026 }, { http });
  results.refused = await probe({ cid: 1, port: 9999 });
  results.refusedTalk = await probe({ cid: 1, port: 9999 }, { http });
  results.nobody = await probe({ cid: 4242, port: 1024 });
} catch (error) {
  results.error = String(error);
} finally {
  for (const child of listeners) child.kill();
  await engine.close();
}
console.log(JSON.stringify(results));
