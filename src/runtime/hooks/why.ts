import { z } from 'zod';
import type { HookEvent } from '../../model/hook.js';
import type { Decision } from '../../policy/types.js';
import type { PolicyVmState } from '../../policy/vm-state.js';
import type { HookReason } from './occasion.js';

/** Why a VM is started or stopped now, by what is under way; `otherwise`: nothing of ours is. */
export function whyNow(vm: PolicyVmState | undefined, otherwise: string): HookReason {
  if (vm?.act?.running) {
    const { verb, author, reason, id } = vm.act;
    return { reason: `${verb} for ${author}`, detail: reason, actionId: id };
  }
  if (vm?.action) {
    const { action, charged } = vm.action;
    const { kind, cause, evidence } = action.diagnosis;
    const detail = evidence.map(({ text }) => text).join('; ');
    return { reason: charged ? `${kind}/${cause}` : 'start-up', detail, actionId: action.id };
  }
  return { reason: otherwise };
}

const about = z.object({ diagnosis: z.object({ kind: z.string(), cause: z.string() }) });

/** The hooks that a decision about a VM calls for, and why; undefined: none. */
export function hookOf({ kind, data, text, actionId }: Decision):
  | {
      readonly event: Extract<HookEvent, 'on-failure' | 'on-recovery'>;
      readonly why: HookReason;
    }
  | undefined {
  if (kind !== 'diagnosis' && kind !== 'recovered') return undefined;
  const found = about.safeParse(data);
  if (!found.success || found.data.diagnosis.kind === 'intended') return undefined;
  const { diagnosis } = found.data;
  const reason = `${diagnosis.kind}/${diagnosis.cause}`;
  const event = kind === 'diagnosis' ? 'on-failure' : 'on-recovery';
  return { event, why: { reason, detail: text, actionId: actionId ?? undefined } };
}
