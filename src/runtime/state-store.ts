import { z } from 'zod';
import type { ProbeEngine } from '../engine/probe-engine.js';
import { errorMessage, VmpulseError } from '../model/errors.js';
import type { Logger } from '../model/logger.js';
import type { Journal } from '../model/ports.js';
import { Turns } from '../model/turns.js';
import type { VmId } from '../model/vm.js';
import { createPolicy, HOST_ROW, hostText, restore, vmRow, vmText } from '../policy/index.js';
import type { PolicyConfig, PolicyState } from '../policy/types.js';
import { TOLD_CERTIFICATES, type ToldCertificates } from './certificate-watch.js';
import type { MaintenanceResult } from './views.js';

const POLICY_PREFIX = 'policy/';
const STORED_KEY = 'policy-stored-at';
const ENGINE_KEY = 'engine';
const HOST_BOOT_KEY = 'host-boot';
const LISTED_KEY = 'listed';
const LISTED = z.array(z.string().max(1024)).max(1_000_000);
const CERTIFICATES_KEY = 'certificates';
const MAINTENANCE_KEY = 'maintenance';
const MAINTENANCE = z
  .array(
    z.tuple([
      z.string().max(1024),
      z.object({
        endedAtMs: z.number(),
        result: z.enum(['done', 'failed', 'skipped', 'missed']),
        text: z.string().max(4096),
      }),
    ]),
  )
  .max(1_000_000);
/** VMs whose text is made in one turn of the event loop: some milliseconds, whether it is another one or not. */
const VMS_A_TURN = 100;

/**
 * What survives a restart of the daemon: the policy's state and the engine's thresholds, in the journal's store. The
 * policy's state is a row a VM, and only rows that changed are written: what is stored before an action must not grow
 * with the host.
 */
export class StateStore {
  readonly #journal: Journal;
  readonly #deadlineMs: number;
  readonly #logger: Logger;
  readonly #now: () => number;
  /** Rows of VMs as they are on disk, by VM: a look at one that did not change makes no text. */
  readonly #saved = new Map<VmId, string>();
  #savedHost: string | undefined;
  /** What former runs left was read, or a person accepted its loss; until then nothing may be written over it. */
  #mayWrite = false;
  /** The next write looks at all VMs: what is on disk is not what this has written. */
  #all = true;
  /** Rows that could not be read are still there. */
  #replaceAll = false;
  /** The write that takes them away, while it is under way. */
  #replacing: Promise<void> | undefined;
  readonly #engineTurns = new Turns();

  constructor(journal: Journal, deadlineMs: number, logger: Logger, now: () => number) {
    this.#now = now;
    this.#journal = journal;
    this.#deadlineMs = deadlineMs;
    this.#logger = logger;
  }

  /**
   * The stored policy state, or a new one where none was stored. Damaged state throws ERR_VMPULSE_ARGUMENT, a journal
   * that cannot be read ERR_VMPULSE_JOURNAL: budgets and quarantines must not be forgotten silently.
   */
  async loadPolicy(config: PolicyConfig): Promise<PolicyState> {
    const rows = new Map<string, string>();
    for (const [key, text] of await this.#journal.loadState(POLICY_PREFIX))
      rows.set(key.slice(POLICY_PREFIX.length), text);
    const state = rows.size === 0 ? createPolicy(config) : restore(rows, config);
    for (const [key, text] of rows) this.#noteSaved(key, text);
    this.#mayWrite = true;
    return state;
  }

  /** When a former run last stored the policy's state, ms; null: none did, or it did not say. */
  async loadStoredAt(): Promise<number | null> {
    const text = (await this.#journal.loadState(STORED_KEY)).get(STORED_KEY);
    return text === undefined || !/^\d{1,16}$/.test(text) ? null : Number(text);
  }

  /** Nothing of what was written is there any more: all of it is written anew. */
  forgetWritten(): void {
    this.#saved.clear();
    this.#savedHost = undefined;
    this.#all = true;
  }

  /** A person goes on without what could not be read: the next write replaces it. */
  acceptLoss(): void {
    this.#replaceAll = !this.#mayWrite;
    this.#all = true;
    this.#mayWrite = true;
  }

  /**
   * Stores what changed of the policy's state, in parts, so that the event loop goes on meanwhile. `looked`: the VMs that may
   * have changed since the last time; default all. Rejects with ERR_VMPULSE_JOURNAL while the state of former runs is unread.
   */
  async savePolicy(state: PolicyState, looked?: ReadonlySet<VmId>): Promise<void> {
    this.#assertMayWrite();
    const vms =
      this.#all || looked === undefined ? new Set([...state.vms.keys(), ...this.#saved.keys()]) : looked;
    this.#all = false;
    let changed = this.#changedHost(state);
    let made = changed.size;
    try {
      for (const id of vms) {
        this.#addChanged(changed, state, id);
        made += 1;
        if (made % VMS_A_TURN !== 0) continue;
        await this.#write(changed, true);
        changed = new Map();
      }
      await this.#write(changed);
    } catch (error) {
      this.#all = true;
      throw error;
    }
  }

  #addChanged(changed: Map<string, string | null>, state: PolicyState, id: VmId): void {
    const saved = this.#saved.get(id);
    const vm = state.vms.get(id);
    const text = vm === undefined ? undefined : vmText(vm);
    if (text !== saved) changed.set(vmRow(id), text ?? null);
  }

  /** Stores what an action on this VM depends on: the row of the VM, and that of the host. */
  async saveVm(state: PolicyState, id: VmId): Promise<void> {
    this.#assertMayWrite();
    const changed = this.#changedHost(state);
    if (state.vms.has(id)) this.#addChanged(changed, state, id);
    await this.#write(changed);
  }

  /** Gives the engine its thresholds back. Damaged ones are dropped and said: probes find the truth again by themselves. */
  async restoreEngine(engine: ProbeEngine): Promise<void> {
    const text = (await this.#journal.loadState(ENGINE_KEY)).get(ENGINE_KEY);
    if (text === undefined) return;
    try {
      engine.restore(Buffer.from(text, 'base64'));
    } catch (error) {
      this.#logger.warn(
        { error: errorMessage(error) },
        'stored probe thresholds are damaged and were dropped',
      );
    }
  }

  /** Stores the thresholds as they are once those that are being stored are: an older one never comes after a newer one. */
  saveEngine(engine: ProbeEngine): Promise<void> {
    return this.#engineTurns.take(async () => {
      const { buffer, byteOffset, byteLength } = await engine.snapshot();
      const text = Buffer.from(buffer, byteOffset, byteLength).toString('base64');
      await this.#save(new Map([[ENGINE_KEY, text]]));
    });
  }

  /** Whether the host has booted since a former run. */
  async hostBooted(bootId: string): Promise<boolean> {
    const former = (await this.#journal.loadState(HOST_BOOT_KEY)).get(HOST_BOOT_KEY);
    return former !== undefined && former !== bootId;
  }

  /** Remembers this boot. Only after what it means for the policy was stored: a daemon may die in between. */
  async rememberBoot(bootId: string): Promise<void> {
    await this.#save(new Map([[HOST_BOOT_KEY, bootId]]));
  }

  async saveListed(listed: readonly VmId[]): Promise<void> {
    await this.#save(new Map([[LISTED_KEY, JSON.stringify(listed)]]));
  }

  /** Who stood in the list of endpoints. One that cannot be read is dropped: it is made anew from what is known. */
  async loadListed(): Promise<readonly VmId[]> {
    try {
      const text = (await this.#journal.loadState(LISTED_KEY)).get(LISTED_KEY);
      return LISTED.parse(JSON.parse(text ?? '[]'));
    } catch (error) {
      this.#logger.warn(
        { error: errorMessage(error) },
        'the stored list of endpoints cannot be read and was dropped',
      );
      return [];
    }
  }

  async saveCertificates(told: ToldCertificates): Promise<void> {
    await this.#save(new Map([[CERTIFICATES_KEY, JSON.stringify(told)]]));
  }

  /** What was told of certificates and is not over. What cannot be read is dropped: what ends soon is told again. */
  async loadCertificates(): Promise<ToldCertificates> {
    try {
      const text = (await this.#journal.loadState(CERTIFICATES_KEY)).get(CERTIFICATES_KEY);
      return TOLD_CERTIFICATES.parse(JSON.parse(text ?? '[]'));
    } catch (error) {
      this.#logger.warn({ error: errorMessage(error) }, 'what was told of certificates cannot be read');
      return [];
    }
  }

  async saveMaintenance(last: ReadonlyMap<string, MaintenanceResult>): Promise<void> {
    await this.#save(new Map([[MAINTENANCE_KEY, JSON.stringify([...last])]]));
  }

  /** How runs of maintenance ended last. What cannot be read is dropped: the journal has it too. */
  async loadMaintenance(): Promise<ReadonlyMap<string, MaintenanceResult>> {
    try {
      const text = (await this.#journal.loadState(MAINTENANCE_KEY)).get(MAINTENANCE_KEY);
      return new Map(MAINTENANCE.parse(JSON.parse(text ?? '[]')));
    } catch (error) {
      this.#logger.warn({ error: errorMessage(error) }, 'the stored ends of maintenance cannot be read');
      return new Map();
    }
  }

  #changedHost(state: PolicyState): Map<string, string | null> {
    const text = hostText(state);
    return new Map(text === this.#savedHost ? [] : [[HOST_ROW, text]]);
  }

  /**
   * The journal takes writes in the order of the calls, so a row that is written twice ends as the later one. `always`: also
   * where nothing changed but the time at which that was known.
   */
  async #write(rows: ReadonlyMap<string, string | null>, always = false): Promise<void> {
    if (rows.size === 0 && !always) return;
    // What it does not know of it would take away again.
    if (this.#replacing) await this.#replacing;
    if (!this.#replaceAll) return await this.#put(new Map(), rows);
    this.#replacing = this.#replace(rows);
    try {
      await this.#replacing;
    } finally {
      this.#replacing = undefined;
    }
  }

  async #replace(rows: ReadonlyMap<string, string | null>): Promise<void> {
    const former = await this.#journal.loadState(POLICY_PREFIX);
    await this.#put(new Map(Array.from(former.keys(), (key) => [key, null])), rows);
    this.#replaceAll = false;
  }

  async #put(values: Map<string, string | null>, rows: ReadonlyMap<string, string | null>): Promise<void> {
    for (const [key, text] of rows) values.set(POLICY_PREFIX + key, text);
    values.set(STORED_KEY, String(this.#now()));
    await this.#save(values);
    for (const [key, text] of rows) this.#noteSaved(key, text);
  }

  #noteSaved(key: string, text: string | null): void {
    const id = key.slice(vmRow('').length);
    if (key === HOST_ROW) this.#savedHost = text ?? undefined;
    else if (text === null) this.#saved.delete(id);
    else this.#saved.set(id, text);
  }

  async #save(values: ReadonlyMap<string, string | null>): Promise<void> {
    await this.#journal.saveState(values, { deadlineMs: this.#deadlineMs });
  }

  #assertMayWrite(): void {
    if (this.#mayWrite) return;
    throw new VmpulseError(
      'ERR_VMPULSE_JOURNAL',
      'the state of former runs could not be read and is not overwritten; vmpulse recovery resume goes on without it',
    );
  }
}
