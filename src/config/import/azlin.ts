import { documentText } from '../named-document.js';
import { ProblemList } from '../problems.js';
import { parseDocuments } from '../source-document.js';
import { azlinSettings } from './azlin-settings.js';
import type { Imported, Importer } from './imported.js';
import { nested, quoted } from './nested.js';

/** azlin's file of one VM: what it says of recovery as a policy for that VM, the rest as commands. */
export const importAzlin: Importer = (file, { vm }): Imported => {
  const problems = new ProblemList();
  const [document] = parseDocuments(file, problems).documents;
  problems.throwIfAny();
  if (document === undefined) return { files: [], taken: [], notTaken: [], commands: [] };
  const { settings, taken, notTaken } = azlinSettings(document);
  const isOfRecovery = (path: string) => path.startsWith('recovery.') && path !== 'recovery.enabled';
  const recovery = settings.filter(({ path, value }) => isOfRecovery(path) && value !== null);
  const policy = {
    apiVersion: 'vmpulse.dev/v1',
    kind: 'RecoveryPolicy',
    metadata: { name: `azlin-${vm}` },
    spec: { selector: { names: [vm] }, ...nested(recovery) },
  };
  return {
    files: recovery.length === 0 ? [] : [{ path: `azlin-${vm}.yaml`, text: documentText(policy) }],
    taken,
    notTaken,
    commands: [
      [
        `vmpulse autopilot config ${vm} --from-file ${quoted(file.path)}`,
        'monitoring, limits and maintenance as well; of a VM that is watched',
      ],
      [`vmpulse autopilot enable ${vm} --self-healing`, 'until then vmpulse only observes'],
    ],
  };
};
