import * as z from "zod/mini";
import { VERBS, type VerbRequest } from "./safekit-verbs.ts";

const Word = z.string().check(z.maxLength(4_096));

/** What the local API takes from the `safekit` command; apart, so that the command starts quickly. */
export const VerbRequestSchema: z.ZodMiniType<VerbRequest> = z.object({
  verb: z.enum(VERBS),
  moduleId: Word,
  identity: z.nullable(Word),
  words: z.array(Word).check(z.maxLength(256)),
  resource: z.nullable(Word),
  value: z.nullable(Word),
});
