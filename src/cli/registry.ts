import type { CliCommand } from './cli.js';
import { applyCommand } from './commands/apply.js';
import { autopilotCommand } from './commands/autopilot.js';
import { benchCommand } from './commands/bench.js';
import { completionCommand } from './commands/completion.js';
import { configCommand } from './commands/config.js';
import { discoverCommand } from './commands/discover.js';
import { doctorCommand } from './commands/doctor.js';
import { explainCommand } from './commands/explain.js';
import { gcCommand } from './commands/gc.js';
import { healthCommand } from './commands/health.js';
import { hooksCommand } from './commands/hooks.js';
import { imageCommand } from './commands/image.js';
import { intentCommand } from './commands/intent.js';
import { journalCommand } from './commands/journal.js';
import { maintenanceCommand } from './commands/maintenance.js';
import { metricsCommand } from './commands/metrics.js';
import { mustGatherCommand } from './commands/must-gather.js';
import { networkCommand } from './commands/network.js';
import { nodeCommand } from './commands/node.js';
import { notifyCommand } from './commands/notify.js';
import { policyCommand } from './commands/policy.js';
import { probeCommand } from './commands/probe.js';
import { recoveryCommand } from './commands/recovery.js';
import { reloadCommand } from './commands/reload.js';
import { runCommand } from './commands/run.js';
import { securityGroupCommand } from './commands/security-group.js';
import { simulateCommand } from './commands/simulate.js';
import { statusCommand } from './commands/status.js';
import { tokenCommand } from './commands/token.js';
import { vmCommand } from './commands/vm.js';

/** Every command, in the order of the help. */
export const COMMANDS: readonly CliCommand[] = [
  runCommand,
  statusCommand,
  explainCommand,
  reloadCommand,
  applyCommand,
  gcCommand,
  imageCommand,
  recoveryCommand,
  healthCommand,
  vmCommand,
  nodeCommand,
  intentCommand,
  maintenanceCommand,
  hooksCommand,
  notifyCommand,
  metricsCommand,
  autopilotCommand,
  policyCommand,
  networkCommand,
  securityGroupCommand,
  journalCommand,
  tokenCommand,
  probeCommand,
  benchCommand,
  configCommand,
  discoverCommand,
  doctorCommand,
  mustGatherCommand,
  simulateCommand,
  completionCommand,
];
