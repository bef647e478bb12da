// The rows of the JSON.

/** One a prober and kind; what was not measured of it is null. */
export function jsonResults({ cpuRows, figures, basis }) {
  const lateness = (name) => figures.find((row) => row.name === name)?.value ?? null;
  const bytes = (name) => figures.find((row) => row.name === name)?.value ?? null;
  const empty = { cpuUsPerProbe: null, probesPerSecond: null, bytesPerTarget: null, latenessP99Ms: null };
  const cpu = cpuRows.map((row) => ({
    name: row.name,
    peer: row.peer,
    kind: row.kind,
    targets: row.targets,
    rate: row.rate,
    ...empty,
    cpuUsPerProbe: row[basis]?.median ?? null,
    probesPerSecond: row.probesPerSecond,
  }));
  const memory = [
    ['vmpulse', 'native memory a target, registered'],
    ['HAProxy', 'RSS growth a target, HAProxy'],
  ].flatMap(([peer, name]) => {
    const row = figures.find((one) => one.name === name);
    if (row === undefined) return [];
    return [
      { name, peer, kind: 'memory', targets: row.targets, rate: null, ...empty, bytesPerTarget: bytes(name) },
    ];
  });
  const late = figures
    .filter((row) => row.kind === 'lateness' && row.name.includes(' p99'))
    .map(({ name, targets, rate }) => ({
      name,
      peer: 'vmpulse',
      kind: 'lateness',
      targets,
      rate,
      ...empty,
      latenessP99Ms: lateness(name),
    }));
  return [...cpu, ...memory, ...late];
}
