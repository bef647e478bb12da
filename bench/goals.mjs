// What the project aims at, and what one run says to that. Shown, never asserted.
import { SIZES } from './sizes.mjs';

const count = (number) => number.toLocaleString('en');

// A goal's limit, as it is told and as it is judged.
const atMost = (limit) => ({ target: `≤ ${count(limit)}`, holds: (value) => value <= limit });
const atLeast = (limit) => ({ target: `≥ ${count(limit)}`, holds: (value) => value >= limit });
const between = (low, high) => ({
  target: `${low}–${high}`,
  holds: (value) => value >= low && value <= high,
});
const none = { target: '0', holds: (value) => value === 0 };

// What a goal is a goal of: measured with other sizes than those of the full run it is neither met nor missed.
const probing =
  (...kinds) =>
  ({ targets, rates }) =>
    `${[...new Set(kinds.map((kind) => count(rates[kind])))].join(' and ')} a second over up to ${count(targets)}`;
const registered = (sizes) => `${count(sizes.registered)} targets`;
const late = (sizes) => `${count(sizes.targets)} targets`;
const vms = (of) => (sizes) => `${count(sizes[of].vms)} VMs`;
const starved = (sizes) => `${count(sizes.starved.targets)} targets, ${sizes.starved.times} times`;
const reactions = (sizes) => `${sizes.events} events`;
const fastest = ({ fastest: { targets, rate } }) =>
  `${count(targets)} targets, ${count(rate)} a second asked`;

/** CPU a probe of vmpulse, over that of a peer. */
const ratio = (name, limit, kind, peer, ofPeer = kind) => ({
  name,
  ...atMost(limit),
  size: probing(kind, ofPeer),
  of: (run) => run.ratio(kind, 'vmpulse', ofPeer, peer),
});
/** A row of the table of figures; over `targets` where it stands there for several. */
const figure = (name, limit, size, row, targets) => ({
  name,
  ...limit,
  size,
  of: (run) => run.figure(row, targets),
});
/** CPU a probe over so many targets, over that over 1,000; measured over so many, or not at all. */
const flat = (targets) => ({
  name: `flat, ${count(targets)} / 1,000 targets`,
  ...between(0.85, 1.15),
  size: () => '',
  of: (run) => run.flat(targets, 1_000),
});

/**
 * The goals in the order of docs/guides/benchmarks.md. `of(run)` gives the value, of a ratio also which figures it is of: undefined
 * where it was not measured, null where it is not above the noise. `size(sizes)` says what it is measured with.
 */
const GOALS = [
  ratio('tcp / HAProxy', 0.9, 'tcp', 'HAProxy'),
  ratio('tcp close: fin / HAProxy', 1.4, 'tcp-fin', 'HAProxy', 'tcp'),
  ratio('half-open / HAProxy', 0.4, 'half-open', 'HAProxy', 'tcp'),
  ratio('http / HAProxy', 0.75, 'http', 'HAProxy'),
  ratio('https / HAProxy', 1.1, 'https', 'HAProxy'),
  ratio('icmp / fping', 0.5, 'icmp', 'fping'),
  ratio('http / blackbox_exporter', 0.05, 'http', 'blackbox_exporter'),
  ratio('tcp / Node net', 0.35, 'tcp', 'Node net/undici'),
  {
    name: 'half-open probes a second on one core',
    ...atLeast(200_000),
    size: fastest,
    of: (run) => run.fastest('vmpulse'),
  },
  figure('native bytes a target', atMost(600), registered, 'native memory a target, registered'),
  figure('JavaScript heap bytes a target', atMost(200), registered, 'JavaScript heap a target, registered'),
  figure(
    'main JavaScript thread, share of a core',
    atMost(0.02),
    vms('thread'),
    'main thread, share of a core',
  ),
  figure('register 100,000 targets, ms', atMost(1_000), registered, 'register targets'),
  flat(10_000),
  flat(100_000),
  figure('start lateness p99, core half loaded, ms', atMost(5), late, 'start lateness p99, core half loaded'),
  figure('scrape, 10,000 VMs, ms', atMost(2_000), vms('scraped'), 'scrape'),
  figure('bytes of a scrape', atMost(20_000_000), vms('scraped'), 'bytes of a scrape'),
  figure(
    'event loop delay p99 in scrapes, ms',
    atMost(50),
    vms('scraped'),
    'event loop delay in scrapes, p99',
  ),
  figure('starved: healthy targets failed', none, starved, 'starved, healthy targets failed'),
  figure('starved: silent targets not failed', none, starved, 'starved, silent targets not failed'),
  figure('VMM killed → policy told p99, ms', atMost(5), vms('signalled'), 'VMM killed → policy told, p99'),
  figure(
    'event at a monitor → policy told p99, ms',
    atMost(5),
    vms('signalled'),
    'event at a monitor → policy told, p99',
  ),
  figure(
    'TAP down or up → policy told p99, ms',
    atMost(5),
    vms('signalled'),
    'TAP down or up → policy told, p99',
  ),
  figure(
    'VMM killed → start issued p99, 100 VMs, ms',
    atMost(50),
    reactions,
    'VMM killed → start issued, p99',
    100,
  ),
  figure(
    'panic → reset issued p99, 100 VMs, ms',
    atMost(50),
    reactions,
    'panic event → reset issued, p99',
    100,
  ),
];

/**
 * Every goal by name: value and target; met, or null with `why` it is neither met nor missed.
 *
 * @returns {Record<string, { value: number | null, target: string, met: boolean | null, why?: string, basis?: string }>}
 */
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
