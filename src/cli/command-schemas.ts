import { z } from 'zod';
import { checkNowAnswer } from '../daemon/answers/checks.js';
import { changeAnswer, configurationAnswer } from '../daemon/answers/configuration.js';
import { explainAnswer } from '../daemon/answers/explain.js';
import { execAnswer, resizeAnswer, statsAnswer, tokenAnswer } from '../daemon/answers/guests.js';
import { hookLogAnswer, hooksAnswer, hookTestAnswer } from '../daemon/answers/hooks.js';
import { journalPageAnswer, recoveryLogAnswer } from '../daemon/answers/journal.js';
import {
  applyAnswer,
  executionAnswer,
  leftoversAnswer,
  planPreviewAnswer,
  reloadAnswer,
} from '../daemon/answers/lifecycle.js';
import { groupsAnswer, networkAnswer, repairAnswer } from '../daemon/answers/network.js';
import { channelsAnswer, notifyTestAnswer } from '../daemon/answers/notifications.js';
import {
  holdsAnswer,
  intentsAnswer,
  maintenanceAnswer,
  recoveryPolicyAnswer,
} from '../daemon/answers/recovery.js';
import { hostAnswer, vmAnswer } from '../daemon/answers/status.js';
import { newTokenAnswer, tokensAnswer } from '../daemon/answers/tokens.js';
import { nodeListJson, previewJson, resultsJson, vmGetJson, vmListJson } from './json-schemas.js';
import {
  configCheckJson,
  discoverJson,
  doctorJson,
  gatheredJson,
  healthCheckJson,
  healthReportJson,
  healthStatusJson,
  imageJson,
  importedJson,
  probeOutcomeJson,
  simulateJson,
} from './own-schemas.js';

const verb = z.union([resultsJson, previewJson]);
const change = z.union([changeAnswer, previewJson]);
const groups = z.union([groupsAnswer, previewJson]);
const holds = z.union([holdsAnswer, previewJson]);

const status = z.union([
  hostAnswer,
  vmAnswer,
  // --check-now
  z.looseObject({ vms: z.array(checkNowAnswer) }),
  // --recovery-history, --recovery-log
  recoveryLogAnswer.omit({ next: true }).extend({ truncated: z.boolean() }),
  // --host
  z.looseObject({ hosts: z.array(z.looseObject({ host: z.string(), status: hostAnswer })) }),
]);

/** What each command prints with --json, by its words. exec-batch prints a line of it for each VM. */
export const COMMAND_JSON: Readonly<Record<string, z.ZodType>> = {
  status,
  explain: explainAnswer,
  reload: reloadAnswer,
  apply: z.union([applyAnswer, executionAnswer, planPreviewAnswer]),
  gc: leftoversAnswer,
  'image pull': z.union([imageJson, previewJson]),
  'image list': z.looseObject({ images: z.array(imageJson) }),
  'image verify': z.looseObject({ verified: z.array(z.string()) }),
  'recovery hold': holds,
  'recovery resume': holds,
  'recovery history': recoveryLogAnswer,
  'recovery log': recoveryLogAnswer,
  'health status': healthStatusJson,
  'health check': healthCheckJson,
  'health check-all': z.looseObject({ vms: z.array(healthCheckJson) }),
  'health report': healthReportJson,
  'health history': journalPageAnswer,
  'health reset': verb,
  'vm list': vmListJson,
  'vm get': vmGetJson,
  'vm create': z.union([resultsJson.extend({ applied: applyAnswer.optional() }), previewJson]),
  ...Object.fromEntries(
    ['start', 'stop', 'restart', 'reset', 'pause', 'resume', 'snapshot', 'delete', 'recreate', 'release'].map(
      (name) => [`vm ${name}`, verb],
    ),
  ),
  'vm heartbeat-token': z.union([tokenAnswer, previewJson]),
  'vm exec': z.union([execAnswer, previewJson]),
  'vm exec-batch': z.union([execAnswer, z.looseObject({ vm: z.string(), error: z.string() }), previewJson]),
  'vm stats': statsAnswer,
  'vm resize': z.union([resizeAnswer, previewJson]),
  'vm update': change,
  'vm adopt': z.union([applyAnswer, previewJson]),
  'vm maintenance begin': verb,
  'vm maintenance end': verb,
  'vm schedule': verb,
  'vm health-report': healthReportJson,
  'node list': nodeListJson,
  'intent list': intentsAnswer,
  'intent clear': z.union([intentsAnswer, previewJson]),
  'maintenance list': maintenanceAnswer,
  'maintenance start': verb,
  'maintenance stop': verb,
  'hooks list': hooksAnswer,
  'hooks add': z.union([hooksAnswer, previewJson]),
  'hooks add-global': z.union([hooksAnswer, previewJson]),
  'hooks remove': z.union([hooksAnswer, previewJson]),
  'hooks test': hookTestAnswer,
  'hooks logs': hookLogAnswer,
  'notify list': channelsAnswer,
  'notify add': z.union([channelsAnswer, previewJson]),
  'notify remove': z.union([channelsAnswer, previewJson]),
  'notify test': notifyTestAnswer,
  'autopilot enable': change,
  'autopilot disable': change,
  'autopilot config': z.union([change, z.looseObject({ vms: z.array(configurationAnswer) })]),
  'autopilot status': status,
  'policy show': recoveryPolicyAnswer,
  'network check': networkAnswer,
  'network repair': repairAnswer,
  'security-group list': groupsAnswer,
  'security-group add-rule': groups,
  'security-group remove-rule': groups,
  'security-group policy': groups,
  'journal list': journalPageAnswer,
  'token create': z.union([newTokenAnswer, previewJson]),
  'token list': tokensAnswer,
  'token revoke': z.union([tokensAnswer, previewJson]),
  probe: probeOutcomeJson,
  'config import': importedJson,
  'config show': configurationAnswer,
  'config get': z.record(z.string(), z.unknown()),
  'config set': changeAnswer,
  'config unset': changeAnswer,
  'config check': configCheckJson,
  discover: discoverJson,
  doctor: doctorJson,
  'must-gather': gatheredJson,
  simulate: simulateJson,
};

/** The same as JSON Schema (2020-12), of what is printed. */
export function commandJsonSchemas(): Map<string, object> {
  return new Map(
    Object.entries(COMMAND_JSON).map(([command, schema]) => [
      command,
      {
        title: `vmpulse ${command} --json`,
        ...z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }),
      },
    ]),
  );
}
