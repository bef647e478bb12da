// Run by links.test.ts in a network namespace of its own; prints what it found as one line of JSON.
import { setTimeout as delay } from 'node:timers/promises';
import {
  addAddress,
  createBridge,
  createTap,
  LinkMonitor,
  linkAddresses,
  linkInfo,
  removeLink,
  setLinkMaster,
  setLinkUp,
} from '../../../dist/kernel/index.js';

const failure = (call) => {
  try {
    call();
    return 'none';
  } catch ({ code, message, details }) {
    return { code, message, errno: details?.errno };
  }
};

let wake = () => {};
const heard = [];
const monitor = new LinkMonitor((news) => {
  heard.push(news);
  wake();
});
/** Resolves once a change of that device was told; rejects after 10 s. */
async function told(name) {
  const endMs = Date.now() + 10_000;
  while (!heard.some(({ names }) => names.includes(name))) {
    if (Date.now() > endMs) throw new Error(`nothing was told of ${name}`);
    await Promise.race([
      new Promise((resolve) => {
        wake = resolve;
      }),
      delay(100),
    ]);
  }
  heard.length = 0;
}

const found = {};
createBridge('br0', '02:00:00:00:00:07');
await told('br0');
createTap('tap0', { user: 1000 });
setLinkMaster('tap0', 'br0');
setLinkUp('br0', true);
setLinkUp('tap0', true);
addAddress('br0', '10.77.0.1/24');
await told('tap0');
found.tap = linkInfo('tap0');
found.bridge = linkInfo('br0');
found.addresses = linkAddresses('br0');
found.missing = linkInfo('nothing') ?? null;
found.again = failure(() => createTap('tap0'));
setLinkMaster('tap0', undefined);
await told('tap0');
found.alone = linkInfo('tap0').master;
removeLink('tap0');
await told('tap0');
found.gone = linkInfo('tap0') ?? null;
found.noDevice = failure(() => linkAddresses('tap0'));
found.noName = ['', 'a/b', '..', 'has space', 'tap%d', 'sixteencharacter'].map(
  (name) => failure(() => linkInfo(name)).code,
);
found.noMac = failure(() => createBridge('br1', '02:00:00:00:00')).code;
found.noAddress = failure(() => addAddress('br0', '10.77.0.1')).errno;
monitor.close();
monitor.close();
found.closed = monitor.closed;
setLinkUp('br0', false);
await delay(50);
found.afterClose = heard.length;
// Nothing of it keeps the process alive, nor does one that is never closed.
globalThis.kept = new LinkMonitor(() => {});
process.stdout.write(`${JSON.stringify(found)}\n`);
