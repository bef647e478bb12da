// What the project aims at, and what one run says to that. Shown, never asserted.

const atMost = (limit) => (value) => value <= limit;
const between = (low, high) => (value) => value >= low && value <= high;

/**
 * The goals in the order of docs/guides/benchmarks.md: `of(run)` gives the value, or undefined where it was not
 * measured. `run.cpu(kind, peer, targets?)` is CPU a probe, `run.figure(name, targets?)` a figure's value.
 */
const GOALS = [
  ['tcp / HAProxy', '≤ 0.90', atMost(0.9), (run) => run.ratio('tcp', 'vmpulse', 'tcp', 'HAProxy')],
  [
    'tcp close: fin / HAProxy',
    '≤ 1.4',
    atMost(1.4),
    (run) => run.ratio('tcp-fin', 'vmpulse', 'tcp', 'HAProxy'),
  ],
  [
    'half-open / HAProxy',
    '≤ 0.40',
    atMost(0.4),
    (run) => run.ratio('half-open', 'vmpulse', 'tcp', 'HAProxy'),
  ],
  ['http / HAProxy', '≤ 0.75', atMost(0.75), (run) => run.ratio('http', 'vmpulse', 'http', 'HAProxy')],
  ['https / HAProxy', '≤ 1.1', atMost(1.1), (run) => run.ratio('https', 'vmpulse', 'https', 'HAProxy')],
  ['icmp / fping', '≤ 0.5', atMost(0.5), (run) => run.ratio('icmp', 'vmpulse', 'icmp', 'fping')],
  [
    'http / blackbox_exporter',
    '≤ 0.05',
    atMost(0.05),
    (run) => run.ratio('http', 'vmpulse', 'http', 'blackbox_exporter'),
  ],
  ['tcp / Node net', '≤ 0.35', atMost(0.35), (run) => run.ratio('tcp', 'vmpulse', 'tcp', 'Node net/undici')],
  [
    'half-open probes a second on one core',
    '≥ 200,000',
    (value) => value >= 200_000,
    (run) => run.fastest('vmpulse'),
  ],
  ['native bytes a target', '≤ 600', atMost(600), (run) => run.figure('native memory a target, registered')],
  [
    'JavaScript heap bytes a target',
    '≤ 200',
    atMost(200),
    (run) => run.figure('JavaScript heap a target, registered'),
  ],
  [
    'main JavaScript thread, share of a core',
    '≤ 0.02',
    atMost(0.02),
    (run) => run.figure('main thread, share of a core'),
  ],
  ['register 100,000 targets, ms', '≤ 1,000', atMost(1000), (run) => run.figure('register targets')],
  ['flat, 10,000 / 1,000 targets', '0.85–1.15', between(0.85, 1.15), (run) => run.flat(10_000, 1_000)],
  ['flat, 100,000 / 1,000 targets', '0.85–1.15', between(0.85, 1.15), (run) => run.flat(100_000, 1_000)],
  [
    'start lateness p99, core half loaded, ms',
    '≤ 5',
    atMost(5),
    (run) => run.figure('start lateness p99, core half loaded'),
  ],
  ['scrape, 10,000 VMs, ms', '≤ 2,000', atMost(2_000), (run) => run.figure('scrape')],
  ['bytes of a scrape', '≤ 20,000,000', atMost(20_000_000), (run) => run.figure('bytes of a scrape')],
  [
    'event loop delay p99 in scrapes, ms',
    '≤ 50',
    atMost(50),
    (run) => run.figure('event loop delay in scrapes, p99'),
  ],
  ['starved: healthy targets failed', '0', atMost(0), (run) => run.figure('starved, healthy targets failed')],
  [
    'starved: silent targets not failed',
    '0',
    atMost(0),
    (run) => run.figure('starved, silent targets not failed'),
  ],
  [
    'VMM killed → policy told p99, ms',
    '≤ 5',
    atMost(5),
    (run) => run.figure('VMM killed → policy told, p99'),
  ],
  [
    'event at a monitor → policy told p99, ms',
    '≤ 5',
    atMost(5),
    (run) => run.figure('event at a monitor → policy told, p99'),
  ],
  [
    'TAP down or up → policy told p99, ms',
    '≤ 5',
    atMost(5),
    (run) => run.figure('TAP down or up → policy told, p99'),
  ],
  [
    'VMM killed → start issued p99, 100 VMs, ms',
    '≤ 50',
    atMost(50),
    (run) => run.figure('VMM killed → start issued, p99', 100),
  ],
  [
    'panic → reset issued p99, 100 VMs, ms',
    '≤ 50',
    atMost(50),
    (run) => run.figure('panic event → reset issued, p99', 100),
  ],
];

/** Every goal by name: value, target, met; null where it was not measured. */
export function judge({ cpuRows, figures, basis }) {
  const run = new Run(cpuRows, figures, basis);
  return Object.fromEntries(
    GOALS.map(([name, target, holds, of]) => {
      const value = of(run) ?? null;
      return [name, { value, target, met: value === null ? null : holds(value) }];
    }),
  );
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
    const [over, under] = [this.#cpu(kind, peer), this.#cpu(otherKind, otherPeer)];
    return over && under && over / under;
  }

  flat(targets, base) {
    const of = (count) =>
      this.#row((row) => row.what === 'same rate' && row.peer === 'vmpulse' && row.targets === count);
    const [over, under] = [of(targets), of(base)];
    return over && under && over[this.#basis].median / under[this.#basis].median;
  }

  fastest(peer) {
    return this.#row((row) => row.what === 'as fast as it goes' && row.peer === peer)?.probesPerSecond;
  }

  figure(name, targets) {
    const is = (row) => row.name === name && (targets === undefined || row.targets === targets);
    return this.#figures.find(is)?.value;
  }

  #cpu(kind, peer) {
    return this.#row((row) => row.kind === kind && row.peer === peer && row.what === undefined)?.[this.#basis]
      .median;
  }

  #row(is) {
    return this.#cpuRows.find(is);
  }
}
