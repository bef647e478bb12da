/** How much is measured. `quick` only shows that everything runs; its figures are of one round, and mean little. */
export const SIZES = {
  full: {
    rounds: 3,
    longRounds: 3,
    // How long a core is looked at before a prober starts; how long a peer gets to read its configuration.
    idleMs: 1_000,
    settleMs: 4_000,
    warmMs: 1_500,
    windowMs: 3_000,
    targets: 10_000,
    // A rate that ours and the peer worth beating both reach on one core.
    rates: { tcp: 25_000, 'tcp-fin': 25_000, 'half-open': 25_000, icmp: 25_000, http: 15_000, https: 1_500 },
    // More than a core can do.
    fastest: { targets: 100_000, rate: 500_000 },
    spread: [1_000, 10_000, 100_000],
    registered: 100_000,
    probed: true,
    thread: { vms: 10_000, changing: 200, settleMs: 10_000, measureMs: 20_000 },
    // A long period: what is measured are scrapes, and not probes that come in between.
    scraped: { vms: 10_000, changing: 100, periodMs: 30_000, count: 20 },
    starved: { targets: 1_000, times: 3 },
    fleet: 10_000,
    stepMs: 500,
    fleets: [100, 1_000, 10_000],
    // A fleet is healthy once a whole period has passed.
    calmPeriodMs: 10_000,
    events: 50,
    signalled: { vms: 100, events: 100 },
  },
  quick: {
    rounds: 1,
    longRounds: 1,
    idleMs: 50,
    settleMs: 500,
    warmMs: 100,
    windowMs: 300,
    targets: 1_000,
    // Enough for a short window to tell from noise.
    rates: { tcp: 10_000, 'tcp-fin': 5_000, 'half-open': 20_000, icmp: 20_000, http: 4_000, https: 400 },
    fastest: { targets: 20_000, rate: 100_000 },
    spread: [1_000],
    registered: 10_000,
    probed: false,
    thread: { vms: 100, changing: 5, settleMs: 500, measureMs: 1_500 },
    scraped: { vms: 100, changing: 5, periodMs: 1_000, count: 2 },
    starved: { targets: 100, times: 1 },
    fleet: 300,
    stepMs: 20,
    fleets: [100],
    calmPeriodMs: 1_000,
    events: 5,
    signalled: { vms: 20, events: 5 },
  },
};
