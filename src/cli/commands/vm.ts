import type { Command } from 'commander';
import { tokenAnswer } from '../../daemon/answers/guests.js';
import { type ChangeOptions, dryRunOption, goesOn } from '../changes.js';
import { author, type Cli, type CliCommand, vmPath, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { asCame, formatOption, jsonOption, show } from '../format.js';
import { vmId } from '../selectors.js';
import { addReport } from './health-report.js';
import { addActs } from './vm-acts.js';
import { addAdopt } from './vm-adopt.js';
import { addConsole } from './vm-console.js';
import { addCreate } from './vm-create.js';
import { addExec } from './vm-exec.js';
import { addExecBatch } from './vm-exec-batch.js';
import { addGet } from './vm-get.js';
import { addList } from './vm-list.js';
import { addLogs } from './vm-logs.js';
import { addVmMaintenance } from './vm-maintenance.js';
import { addRelease } from './vm-release.js';
import { addResize } from './vm-resize.js';
import { addStats } from './vm-stats.js';
import { addUpdate } from './vm-update.js';

/** `vmpulse vm …`. */
export const vmCommand: CliCommand = {
  register(program, cli) {
    const vm = program
      .command('vm')
      .summary('VMs: list them, and have something done to them')
      .description('Lists VMs, and has something done to them.')
      .addHelpText('after', examples(['vmpulse vm list', 'all of them']));
    for (const add of [
      addList,
      addGet,
      addCreate,
      addActs,
      addRelease,
      addHeartbeatToken,
      addExec,
      addExecBatch,
      addLogs,
      addStats,
      addConsole,
      addResize,
      addUpdate,
      addAdopt,
      addVmMaintenance,
    ])
      add(vm, cli);
    addReport(vm, cli, 'health-report');
  },
};

function addHeartbeatToken(vm: Command, cli: Cli): void {
  vm.command('heartbeat-token')
    .description(
      'Makes a new token with which the VM sends heartbeats, and prints it: only here and only once. The former one does not count any more.',
    )
    .argument('<vm>', 'name or namespace/name')
    .addOption(dryRunOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText('after', examples(['vmpulse vm heartbeat-token default/web-1', 'for the guest']))
    .action((name: string, options: ChangeOptions, command) =>
      withDaemon(command, cli, async (client) => {
        const id = await vmId(client, name);
        if (!(await goesOn(cli, options, `make a new heartbeat token for ${id}`))) return;
        const path = `${vmPath('/v1/vms', id)}/heartbeat-token`;
        const answer = await client.post(path, { author: author() }, asCame(tokenAnswer));
        await show(cli, options, answer, ({ token }) => `${token}\n`);
      }),
    );
}
