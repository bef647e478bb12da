export { type Demand, demandOf, demandOfDefaults } from './demand.js';
export type { ReportedFinding, Severity } from './finding.js';
export { realHost } from './real-host.js';
export { CHECKS } from './registry.js';
export { type DoctorReport, runDoctor } from './run-doctor.js';
