// Runs in a guest that has the host's files: the real addon on the guest's software watchdog.
import { existsSync, readFileSync } from 'node:fs';
import { HostWatchdog } from '../../dist/daemon/host-watchdog.js';
import { Watchdog } from '../../dist/kernel/index.js';
import { systemClock } from '../../dist/model/clock.js';

const device = '/dev/watchdog1';
const state = () => readFileSync('/sys/class/watchdog/watchdog1/state', 'utf8').trim();
const codeOf = (run) => {
  try {
    run();
    return 'nothing';
  } catch (error) {
    return error.details.errno ?? error.code;
  }
};

function cycle() {
  const watchdog = new Watchdog({ device, timeoutSeconds: 30 });
  const { identity, timeoutSeconds } = watchdog;
  const result = { identity, timeoutSeconds, armed: state() };
  result.busy = codeOf(() => new Watchdog({ device, timeoutSeconds: 30 }));
  watchdog.feed();
  watchdog.disarm();
  watchdog.disarm();
  result.disarmed = state();
  result.closed = codeOf(() => watchdog.feed());
  console.log(JSON.stringify(result));
}

function nowayout() {
  try {
    new Watchdog({ device, timeoutSeconds: 30 });
  } catch (error) {
    console.log(`${error.code} ${error.message}`);
  }
}

/** As the daemon does it, until the file says that nothing goes on any more. */
function starve() {
  const say = (level) => (data, text) => console.log(level, text, JSON.stringify(data));
  const logger = { warn: say('warn'), error: say('error') };
  const stuck = () => {
    const why = existsSync('/run/stuck') ? 'the test says so' : undefined;
    if (why === undefined) console.log('fed');
    return why;
  };
  new HostWatchdog({ device, timeoutMs: 10_000, stuck, clock: systemClock, logger });
  setInterval(() => {}, 1000);
}

({ cycle, nowayout, starve })[process.argv[2]]();
