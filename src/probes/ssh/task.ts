import { z } from 'zod';
import type { SshOptions } from '../../model/probe.js';
import {
  type FailureReason,
  type InconclusiveReason,
  isInconclusive,
  isReason,
} from '../../model/reasons.js';

/** One attempt at one address. */
export interface SshTask {
  readonly ssh: SshOptions;
  readonly address: string;
  /** As the host is written: its keys are looked up under this name. */
  readonly hostName: string;
  readonly timeoutMs: number;
}

export const SSH_RESULT = z.object({
  /** `ok`, or a reason. */
  verdict: z.string(),
  message: z.string().max(1000),
  /** What the server calls itself. */
  software: z.string().max(300),
  exitCode: z.number().nullable(),
});

export type SshResult = z.infer<typeof SSH_RESULT>;
export type SshVerdict = 'ok' | FailureReason | InconclusiveReason;

export function outcomeOf(verdict: string) {
  if (verdict === 'ok') return { result: 'ok' } as const;
  if (!isReason(verdict)) throw new Error(`the ssh task gave the reason ${verdict}`);
  return isInconclusive(verdict)
    ? ({ result: 'inconclusive', reason: verdict } as const)
    : ({ result: 'failed', reason: verdict as FailureReason } as const);
}
