export { barChart, lineChart } from './chart.js';
export { type BenchReport, runBench } from './run-bench.js';
