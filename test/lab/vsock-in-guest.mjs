// Runs in a guest that has the host's files: probes vsock ports of the guest itself (CID 1), and prints one line of JSON.
// The listeners are perl, which each Debian has; Node has no vsock. That of gRPC passes bytes on to a server of Node.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http2';
import { ProbeEngine } from '../../dist/engine/index.js';

const GRPC_SOCKET = '/run/grpc.sock';
const LISTENER = String.raw`
$| = 1; my ($port, $what) = @ARGV;
socket(my $s, 40, 1, 0) or die "socket: $!"; bind($s, pack('S S L L x4', 40, 0, $port, 4294967295)) or die "bind: $!";
listen($s, 8) or die "listen: $!"; print "ready\n";
while (accept(my $c, $s)) {
  if ($what eq 'echo') { my $line = <$c>; syswrite($c, "you said $line"); }
  if ($what eq 'bridge') { bridge($c); }
  if ($what eq 'http') { while (<$c>) { last if /^\r\n$/ } syswrite($c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); }
  close $c;
}
sub bridge {
  my ($c) = @_; socket(my $u, 1, 1, 0); connect($u, pack('S Z*', 1, '${GRPC_SOCKET}')) or die "connect: $!";
  my %other = (fileno($c) => $u, fileno($u) => $c); my %own = (fileno($c) => $c, fileno($u) => $u);
  while (1) {
    my $ready = ''; vec($ready, $_, 1) = 1 for keys %own; select($ready, undef, undef, undef);
    for (keys %own) { next unless vec($ready, $_, 1); sysread($own{$_}, my $bytes, 65536) or return; syswrite($other{$_}, $bytes); }
  }
}`;

/** Health of gRPC: one message with the state, field 1, in its frame of five bytes. */
function serveHealth(state) {
  const server = createServer();
  server.on('stream', (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, state]));
  });
  return once(server.listen(GRPC_SOCKET), 'listening').then(() => server);
}

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
const SERVING = 1;
const server = await serveHealth(SERVING);
try {
  await listen(1024, 'close');
  await listen(1025, 'echo');
  await listen(1026, 'http');
  await listen(1027, 'bridge');
  results.connect = await probe({ cid: 1, port: 1024 });
  const steps = [{ send: hex('ping\n') }, { expect: hex('you said ping') }];
  results.exchange = await probe({ cid: 1, port: 1025 }, { exchange: { steps } });
  const wrong = [{ send: hex('ping\n') }, { expect: hex('pong') }];
  results.mismatch = await probe({ cid: 1, port: 1025 }, { exchange: { steps: wrong } });
  const http = { scheme: 'http', port: 80, path: '/healthz', headers: [] };
  results.http = await probe({ cid: 1, port: 1026 }, { http });
  results.grpc = await probe({ cid: 1, port: 1027 }, { grpc: {} });
  results.noGrpc = await probe({ cid: 1, port: 1026 }, { grpc: {} });
  results.refused = await probe({ cid: 1, port: 9999 });
  results.refusedTalk = await probe({ cid: 1, port: 9999 }, { http });
  results.nobody = await probe({ cid: 4242, port: 1024 });
} catch (error) {
  results.error = String(error);
} finally {
  for (const child of listeners) child.kill();
  server.close();
  await engine.close();
}
console.log(JSON.stringify(results));
