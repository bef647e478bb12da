export { BENCH_KINDS, type BenchKind, MAX_LOOPBACK_TARGETS, parsePlaces } from './bench-targets.js';
export { barChart, lineChart } from './chart.js';
export { type BenchReport, runBench } from './run-bench.js';
