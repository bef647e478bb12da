import { z } from 'zod';
import { plainText } from '../../model/plain-text.js';
import { parseCidr } from '../cidr.js';

/** The group whose rules hold for every VM. */
export const DEFAULT_GROUP = 'default';
export const MAX_RULES_A_GROUP = 256;
const MAX_COMMENT_CHARS = 100;
const MAX_ID_CHARS = 16;

/** What nothing else lets through: accept, or drop. */
const POLICIES = ['accept', 'drop'] as const;
export type GroupPolicy = (typeof POLICIES)[number];

const PROTOCOLS = ['tcp', 'udp', 'icmp', 'any'] as const;
export type RuleProtocol = (typeof PROTOCOLS)[number];

const port = z.int().min(1, 'must be a port from 1 to 65535').max(65_535, 'must be a port from 1 to 65535');

/** What a rule lets through, as it is asked for. */
export const newRuleSchema = z
  .strictObject({
    /** Where it comes from: an address or `10.0.0.0/8`; left out: anywhere. */
    sourceCidr: z
      .string()
      .max(64)
      .refine((text) => parseCidr(text) !== undefined, 'must be an address or a network such as 10.0.0.0/8')
      .optional(),
    /** Default tcp with a port, any without. */
    protocol: z.enum(PROTOCOLS).optional(),
    port: port.optional(),
    /** The last port of a range that begins with `port`. */
    toPort: port.optional(),
    /** For people, at most 100 characters. */
    comment: z
      .string()
      .max(MAX_COMMENT_CHARS, `must be at most ${MAX_COMMENT_CHARS} characters`)
      .transform((text) => plainText(text, MAX_COMMENT_CHARS))
      .optional(),
  })
  .superRefine((rule, ctx) => {
    const refuse = (path: string, message: string) => ctx.addIssue({ code: 'custom', message, path: [path] });
    const { protocol = 'tcp', toPort } = rule;
    if (rule.port !== undefined && protocol !== 'tcp' && protocol !== 'udp')
      refuse('port', `is of tcp and udp, not of ${protocol}`);
    if (toPort !== undefined && (rule.port === undefined || toPort < rule.port))
      refuse('toPort', 'must not be below port');
  });

export type NewRule = z.output<typeof newRuleSchema>;

/** A rule of a group: what it describes is let through to the VM. */
export interface SecurityRule {
  /** Unique in its group; names it in remove-rule. */
  readonly id: string;
  readonly sourceCidr: string | null;
  readonly protocol: RuleProtocol;
  readonly port: number | null;
  readonly toPort: number | null;
  readonly comment: string;
  readonly author: string;
  readonly addedAtMs: number;
}

export interface SecurityGroup {
  /** Null: that of the group `default`, whose own default is accept. */
  readonly policy: GroupPolicy | null;
  readonly rules: readonly SecurityRule[];
}

export const EMPTY_GROUP: SecurityGroup = { policy: null, rules: [] };

/** What was stored of a group by a former run. */
export const storedGroupSchema: z.ZodType<SecurityGroup> = z.object({
  policy: z.enum(POLICIES).nullable(),
  rules: z
    .array(
      z.object({
        id: z.string().max(MAX_ID_CHARS),
        sourceCidr: z
          .string()
          .refine((text) => parseCidr(text) !== undefined)
          .nullable(),
        protocol: z.enum(PROTOCOLS),
        port: port.nullable(),
        toPort: port.nullable(),
        comment: z.string().max(1024),
        author: z.string().max(1024),
        addedAtMs: z.number(),
      }),
    )
    .max(MAX_RULES_A_GROUP),
});

/** The rule that was asked for, complete. */
export function completeRule(
  { sourceCidr, protocol, port: from, toPort, comment = '' }: NewRule,
  made: Pick<SecurityRule, 'id' | 'author' | 'addedAtMs'>,
): SecurityRule {
  return {
    ...made,
    sourceCidr: sourceCidr ?? null,
    protocol: protocol ?? (from === undefined ? 'any' : 'tcp'),
    port: from ?? null,
    toPort: toPort === from ? null : (toPort ?? null),
    comment,
  };
}

/** Whether two rules let the same through. */
export function isSameRule(a: SecurityRule, b: SecurityRule): boolean {
  return (['sourceCidr', 'protocol', 'port', 'toPort'] as const).every((field) => a[field] === b[field]);
}

/** A rule as people read it: `tcp 8080 from 10.0.0.0/8`. */
export function ruleText({ protocol, port: from, toPort, sourceCidr }: SecurityRule): string {
  const ports = from === null ? '' : ` ${from}${toPort === null ? '' : `-${toPort}`}`;
  return `${protocol}${ports} from ${sourceCidr ?? 'anywhere'}`;
}
