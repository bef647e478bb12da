// What the project aims at, and what one run says to that. Shown, never asserted.
import { SIZES } from './sizes.mjs';

const atMost = (limit) => (value) => value <= limit;
const between = (low, high) => (value) => value >= low && value <= high;

// What a goal is a goal of: measured with other sizes than those of the full run it is neither met nor missed.
const count = (number) => number.toLocaleString('en');
const probing =
  (...kinds) =>
  ({ targets, rates }) =>
    `${[...new Set(kinds.map((kind) => count(rates[kind])))].join(' and ')} a second over up to ${count(targets)}`;
const registered = (sizes) => `${count(sizes.registered)} targets`;
const late = (sizes) => `${count(sizes.targets)} targets`;
const vms = (of) => (sizes) => `${count(sizes[of].vms)} VMs`;
const starved = (sizes) => `${count(sizes.starved.targets)} targets, ${sizes.starved.times} times`;
const reactions = (sizes) => `${sizes.events} events`;
/** Over so many targets, or not at all. */
const spread = () => '';

/**
 * The goals in the order of docs/guides/benchmarks.md. `of(run)` gives the value, of a ratio also which figures it is of: undefined
 * where it was not measured, null where it is not above the noise. `size(sizes)` says what it is measured with.
 */
const GOALS = [
  {
    name: 'tcp / HAProxy',
    target: '≤ 0.90',
    holds: atMost(0.9),
    size: probing('tcp'),
    of: (run) => run.ratio('tcp', 'vmpulse', 'tcp', 'HAProxy'),
  },
  {
    name: 'tcp close: fin / HAProxy',
    target: '≤ 1.4',
    holds: atMost(1.4),
    size: probing('tcp-fin', 'tcp'),
    of: (run) => run.ratio('tcp-fin', 'vmpulse', 'tcp', 'HAProxy'),
  },
  {
    name: 'half-open / HAProxy',
    target: '≤ 0.40',
    holds: atMost(0.4),
    size: probing('half-open', 'tcp'),
    of: (run) => run.ratio('half-open', 'vmpulse', 'tcp', 'HAProxy'),
  },
  {
    name: 'http / HAProxy',
    target: '≤ 0.75',
    holds: atMost(0.75),
    size: probing('http'),
    of: (run) => run.ratio('http', 'vmpulse', 'http', 'HAProxy'),
  },
  {
    name: 'https / HAProxy',
    target: '≤ 1.1',
    holds: atMost(1.1),
    size: probing('https'),
    of: (run) => run.ratio('https', 'vmpulse', 'https', 'HAProxy'),
  },
  {
    name: 'icmp / fping',
    target: '≤ 0.5',
    holds: atMost(0.5),
    size: probing('icmp'),
    of: (run) => run.ratio('icmp', 'vmpulse', 'icmp', 'fping'),
  },
  {
    name: 'http / blackbox_exporter',
    target: '≤ 0.05',
    holds: atMost(0.05),
    size: probing('http'),
    of: (run) => run.ratio('http', 'vmpulse', 'http', 'blackbox_exporter'),
  },
  {
    name: 'tcp / Node net',
    target: '≤ 0.35',
    holds: atMost(0.35),
    size: probing('tcp'),
    of: (run) => run.ratio('tcp', 'vmpulse', 'tcp', 'Node net/undici'),
  },
  {
    name: 'half-open probes a second on one core',
    target: '≥ 200,000',
    holds: (value) => value >= 200_000,
    size: (sizes) => `${count(sizes.fastest.targets)} targets, ${count(sizes.fastest.rate)} a second asked`,
    of: (run) => run.fastest('vmpulse'),
  },
  {
    name: 'native bytes a target',
    target: '≤ 600',
    holds: atMost(600),
    size: registered,
    of: (run) => run.figure('native memory a target, registered'),
  },
  {
    name: 'JavaScript heap bytes a target',
    target: '≤ 200',
    holds: atMost(200),
    size: registered,
    of: (run) => run.figure('JavaScript heap a target, registered'),
  },
  {
    name: 'main JavaScript thread, share of a core',
    target: '≤ 0.02',
    holds: atMost(0.02),
    size: vms('thread'),
    of: (run) => run.figure('main thread, share of a core'),
  },
  {
    name: 'register 100,000 targets, ms',
    target: '≤ 1,000',
    holds: atMost(1000),
    size: registered,
    of: (run) => run.figure('register targets'),
  },
  {
    name: 'flat, 10,000 / 1,000 targets',
    target: '0.85–1.15',
    holds: between(0.85, 1.15),
    size: spread,
    of: (run) => run.flat(10_000, 1_000),
  },
  {
    name: 'flat, 100,000 / 1,000 targets',
    target: '0.85–1.15',
    holds: between(0.85, 1.15),
    size: spread,
    of: (run) => run.flat(100_000, 1_000),
  },
  {
    name: 'start lateness p99, core half loaded, ms',
    target: '≤ 5',
    holds: atMost(5),
    size: late,
    of: (run) => run.figure('start lateness p99, core half loaded'),
  },
  {
    name: 'scrape, 10,000 VMs, ms',
    target: '≤ 2,000',
    holds: atMost(2_000),
    size: vms('scraped'),
    of: (run) => run.figure('scrape'),
  },
  {
    name: 'bytes of a scrape',
    target: '≤ 20,000,000',
    holds: atMost(20_000_000),
    size: vms('scraped'),
    of: (run) => run.figure('bytes of a scrape'),
  },
  {
    name: 'event loop delay p99 in scrapes, ms',
    target: '≤ 50',
    holds: atMost(50),
    size: vms('scraped'),
    of: (run) => run.figure('event loop delay in scrapes, p99'),
  },
  {
    name: 'starved: healthy targets failed',
    target: '0',
    holds: atMost(0),
    size: starved,
    of: (run) => run.figure('starved, healthy targets failed'),
  },
  {
    name: 'starved: silent targets not failed',
    target: '0',
    holds: atMost(0),
    size: starved,
    of: (run) => run.figure('starved, silent targets not failed'),
  },
  {
    name: 'VMM killed → policy told p99, ms',
    target: '≤ 5',
    holds: atMost(5),
    size: vms('signalled'),
    of: (run) => run.figure('VMM killed → policy told, p99'),
  },
  {
    name: 'event at a monitor → policy told p99, ms',
    target: '≤ 5',
    holds: atMost(5),
    size: vms('signalled'),
    of: (run) => run.figure('event at a monitor → policy told, p99'),
  },
  {
    name: 'TAP down or up → policy told p99, ms',
    target: '≤ 5',
    holds: atMost(5),
    size: vms('signalled'),
    of: (run) => run.figure('TAP down or up → policy told, p99'),
  },
  {
    name: 'VMM killed → start issued p99, 100 VMs, ms',
    target: '≤ 50',
    holds: atMost(50),
    size: reactions,
    of: (run) => run.figure('VMM killed → start issued, p99', 100),
  },
  {
    name: 'panic → reset issued p99, 100 VMs, ms',
    target: '≤ 50',
    holds: atMost(50),
    size: reactions,
    of: (run) => run.figure('panic event → reset issued, p99', 100),
  },
];

/** Every goal by name: value and target; met, or null with `why` it is neither met nor missed. */
export function judge({ cpuRows, figures, basis }, sizes) {
  const run = new Run(cpuRows, figures, basis);
  return Object.fromEntries(GOALS.map((goal) => [goal.name, judged(goal, goal.of(run), sizes)]));
}

function judged({ target, holds, size }, measured, sizes) {
  const unjudged = (why) => ({ value: null, ...measured, target, met: null, why });
  if (measured === undefined) return unjudged('not measured');
  if (measured === null) return unjudged('not measured: below the noise');
  const [is, wanted] = [size(sizes), size(SIZES.full)];
  if (is !== wanted) return unjudged(`not judged: of ${is}, not ${wanted}`);
  return { ...measured, target, met: holds(measured.value) };
}

class Run {
  #cpuRows;
  #figures;
  #basis;

  constructor(cpuRows, figures, basis) {
    this.#cpuRows = cpuRows;
    this.#figures = figures;
    this.#basis = basis;
  }

  ratio(kind, peer, otherKind, otherPeer) {
    const row = (of, by) => this.#row((one) => one.kind === of && one.peer === by && one.what === undefined);
    return this.#ratio(row(kind, peer), row(otherKind, otherPeer));
  }

  flat(targets, base) {
    const of = (count) =>
      this.#row((row) => row.what === 'same rate' && row.peer === 'vmpulse' && row.targets === count);
    return this.#ratio(of(targets), of(base));
  }

  fastest(peer) {
    const row = this.#row((one) => one.what === 'as fast as it goes' && one.peer === peer);
    return row && { value: row.probesPerSecond };
  }

  figure(name, targets) {
    const is = (row) => row.name === name && (targets === undefined || row.targets === targets);
    const row = this.#figures.find(is);
    return row && { value: row.value };
  }

  #ratio(over, under) {
    if (over === undefined || under === undefined) return undefined;
    // Of a core that did little the process figures can still be told from noise.
    const basis = [this.#basis, 'tree'].find((way) => over[way] !== null && under[way] !== null);
    return basis === undefined ? null : { value: over[basis].median / under[basis].median, basis };
  }

  #row(is) {
    return this.#cpuRows.find(is);
  }
}
