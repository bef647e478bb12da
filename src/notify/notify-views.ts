import type { NotifyLevel, NotifyWay } from '../model/notification.js';
import type { NewChannel } from './channel-store.js';

/** A channel as it is listed; nothing in it is secret. */
export interface ChannelView {
  readonly name: string;
  readonly kind: NotifyWay['kind'];
  /** Addresses, the origin of a URL, or where its URL is kept. */
  readonly target: string;
  readonly level: NotifyLevel;
  /** Globs of VM ids; empty: all, and what concerns the whole host. */
  readonly vms: readonly string[];
  readonly origin: 'configuration' | 'added';
  /** Messages in its spool. */
  readonly waiting: number;
  /** What went wrong last; null: nothing since something was delivered. */
  readonly trouble: string | null;
}

export interface TestView {
  readonly channel: string;
  readonly result: 'sent' | 'failed';
  readonly text: string;
}

/** What persons do with notifications. */
export interface NotifyApi {
  list(): readonly ChannelView[];
  /** On record. Rejects with ERR_VMPULSE_ARGUMENT, ERR_VMPULSE_STORAGE, ERR_VMPULSE_JOURNAL. */
  add(channel: NewChannel, author: string): Promise<readonly ChannelView[]>;
  /** On record. Rejects with ERR_VMPULSE_ARGUMENT where none of that name was added, ERR_VMPULSE_STORAGE. */
  remove(name: string, author: string): Promise<readonly ChannelView[]>;
  /** Sends a test by one channel or (undefined) by all, at once and not from the spool. */
  test(name: string | undefined): Promise<readonly TestView[]>;
}
