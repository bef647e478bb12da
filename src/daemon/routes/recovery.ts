import { holdFields, readBody, vmAndAuthorBody, vmField } from '../api-bodies.js';
import { type ApiOptions, post, type Route, vmOrAll } from '../api-route.js';

/** Without `vm` all VMs; without `forMs` until resumed. */
const holdBody = holdFields.extend({ vm: vmField });

/** Holding recovery, of one VM or of all, and letting it go on. */
export function recoveryRoutes({ runtime }: ApiOptions): Route[] {
  return [
    post('/v1/recovery/hold', async (c) => {
      const { vm, reason, author, forMs } = await readBody(c.env.incoming, holdBody);
      await runtime.hold({ vm: vmOrAll(vm, runtime), reason, author, forMs: forMs ?? null });
      return c.json({ holds: runtime.view().holds });
    }),
    post('/v1/recovery/resume', async (c) => {
      const { vm, author } = await readBody(c.env.incoming, vmAndAuthorBody);
      await runtime.resume({ vm: vmOrAll(vm, runtime), author });
      return c.json({ holds: runtime.view().holds });
    }),
  ];
}
