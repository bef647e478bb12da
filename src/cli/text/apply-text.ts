import type { ApplyAnswer } from '../../daemon/answers/lifecycle.js';

/** What an apply changed, or would: a line a VM and a policy, then the sum. */
export function applyText({ dryRun, documents, vms, warnings }: ApplyAnswer): string {
  const isPolicy = (key: string) => key.startsWith('RecoveryPolicy ');
  const lines = [
    ...vms.added.map((id) => `+ ${id}`),
    ...vms.removed.map((id) => `- ${id} (not watched any more; it runs on)`),
    ...vms.changed.map(({ id, restartRequired, what }) => {
      const restart = restartRequired ? '; restart of the VM required' : '';
      return `~ ${id} (${what.join(', ')}${restart})`;
    }),
    ...documents.added.filter(isPolicy).map((key) => `+ ${key}`),
    ...documents.changed.filter(isPolicy).map((key) => `~ ${key}`),
    ...documents.removed.filter(isPolicy).map((key) => `- ${key}`),
    ...warnings.map((warning) => `! ${warning}`),
  ];
  const { added, changed, removed, unchanged } = documents;
  const counts = `${added.length} added, ${changed.length} changed, ${removed.length} removed, ${unchanged.length} unchanged`;
  lines.push(`${dryRun ? 'nothing applied (--dry-run); documents' : 'applied; documents'}: ${counts}`);
  return `${lines.join('\n')}\n`;
}
