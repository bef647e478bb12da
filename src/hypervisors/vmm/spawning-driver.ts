import { Deadline } from '../../model/deadline.js';
import { isVmpulseError } from '../../model/errors.js';
import type { ProcessIdentity, VmSpec } from '../../model/vm.js';
import { startedAtMs } from '../process.js';
import { findSystemdRun, type LaunchedVmm, launch, launchCommand, withLogTail } from './launch.js';
import { lendFolder, makeFolder, takeFolderBack } from './lent-folder.js';
import { removeFiles, rotateLogs } from './logs.js';
import type { VmPaths } from './paths.js';
import { newRecord, writeRecord } from './record.js';
import { VmmDriver, type VmmKinds } from './vmm-driver.js';

/** How long a VMM that did not come up may take to die. */
const CLEAN_UP_MS = 5_000;

/** A driver whose VMMs are processes that vmpulse itself starts. */
export abstract class SpawningDriver<Kinds extends VmmKinds> extends VmmDriver<Kinds> {
  /** Writes down what the VMM reads, in the folder, which is there; nothing of a VMM before is left. */
  protected abstract prepare(
    vm: VmSpec<Kinds['spec']>,
    paths: Kinds['paths'],
    plan: Kinds['plan'],
  ): Promise<void>;
  /** Arguments of the program, without it. */
  protected abstract commandLine(
    vm: VmSpec<Kinds['spec']>,
    paths: Kinds['paths'],
    plan: Kinds['plan'],
  ): readonly string[];
  /** Files for what the program writes; they are appended to. */
  protected output({ vmmLog }: Kinds['paths']): { readonly stdout: string; readonly stderr: string } {
    return { stdout: vmmLog, stderr: vmmLog };
  }

  /** Resolves when the VMM answers and its guest boots. */
  protected abstract bringUp(
    vm: VmSpec<Kinds['spec']>,
    paths: Kinds['paths'],
    deadline: Deadline,
  ): Promise<void>;
  protected async launch(
    vm: VmSpec<Kinds['spec']>,
    paths: Kinds['paths'],
    plan: Kinds['plan'],
    deadline: Deadline,
  ): Promise<ProcessIdentity> {
    const args = this.commandLine(vm, paths, plan);
    const argv = [plan.program, ...args];
    const { account } = plan;
    await deadline.race(makeFolder(paths.folder));
    await deadline.race(removeFiles([...paths.endpoints, paths.record]));
    await deadline.race(rotateLogs([paths.consoleLog, paths.vmmLog]));
    deadline.check();
    await deadline.race(Promise.resolve(this.host.network?.prepare(vm)));
    await deadline.race(this.prepare(vm, paths, plan));
    if (account !== undefined) await deadline.race(lendFolder(paths.folder, account));
    let vmm: LaunchedVmm | undefined;
    try {
      const systemdRun = findSystemdRun(this.searchPath);
      const command = launchCommand(vm, argv, { account, systemdRun });
      vmm = await launch(vm, command, this.output(paths), this.searchPath);
      // A daemon that dies before this line finds the VMM again by its mark.
      const startedAt = startedAtMs(vmm.process.startTimeTicks);
      const record = newRecord(vmm.process, argv, vm, startedAt, args[0] ?? '');
      await deadline.race(writeRecord(paths.record, record));
      await this.#untilUp(vm, paths, vmm, deadline);
      if (account !== undefined) await deadline.race(takeFolderBack(paths.folder));
      return vmm.process;
    } catch (error) {
      // Withdrawn is not failed: the VMM goes on, and the next look finds it.
      if (isVmpulseError(error, 'ERR_VMPULSE_ABORTED') || isVmpulseError(error, 'ERR_VMPULSE_CLOSED'))
        throw error;
      if (vmm !== undefined) await this.#end(vmm, paths);
      throw await withLogTail(vm, error, paths);
    }
  }

  /** Throws ERR_VMPULSE_START_FAILED as soon as the VMM ends. */
  async #untilUp(
    vm: VmSpec<Kinds['spec']>,
    paths: Kinds['paths'],
    { ended }: LaunchedVmm,
    deadline: Deadline,
  ): Promise<void> {
    const gone = new AbortController();
    const { deadlineMs, signal } = deadline.step();
    const signals = signal === undefined ? [gone.signal] : [signal, gone.signal];
    const options = { deadlineMs, signal: AbortSignal.any(signals) };
    const up = this.bringUp(vm, paths, new Deadline(`start of ${vm.id}`, options));
    ended.catch(() => gone.abort());
    await Promise.race([ended, up]);
  }

  /** Nothing half started is left. */
  async #end(vmm: LaunchedVmm, paths: VmPaths): Promise<void> {
    const cleanUp = new Deadline('end of a VMM that did not come up', { deadlineMs: CLEAN_UP_MS });
    try {
      const handle = this.host.openProcess(vmm.process);
      handle.signal('SIGKILL');
      handle.close();
      await cleanUp.race(vmm.ended.catch(() => {}));
    } catch {
      // It has ended by itself, or the next look finds it.
    }
    await cleanUp.race(takeFolderBack(paths.folder)).catch(() => {});
    // What stays is cleared by the next start.
    await cleanUp.race(removeFiles([...paths.endpoints, paths.record])).catch(() => {});
  }
}
