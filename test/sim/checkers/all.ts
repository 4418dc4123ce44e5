import type { Checker } from "./checker.ts";
import { ServiceReturns } from "./l1-service.ts";
import { PairReturns } from "./l2-in-sync.ts";
import { NoStorms } from "./l3-messages.ts";
import { EveryStateHasAnExit } from "./l4-exits.ts";
import { OnePrimary } from "./s1-one-primary.ts";
import { EpochsRise } from "./s2-epochs.ts";
import { OnlyMembers } from "./s3-membership.ts";
import { NothingLost } from "./s4-nothing-lost.ts";
import { AcknowledgedEverywhere } from "./s5-acknowledged.ts";
import { AddressFollows } from "./s6-address.ts";
import { AppliedInOrder } from "./s7-applied.ts";
import { NoHalfWrittenPrimary } from "./s8-half-written.ts";
import { CopiesAreEqual } from "./s9-equal.ts";
import { VotesHold } from "./s10-votes.ts";
import { OutcomesAreTrue } from "./s11-outcomes.ts";
import { NoSecrets } from "./s12-secrets.ts";

/** Every judge, in the order in which they are asked. */
export const allCheckers = (): readonly Checker[] => [
  new OnePrimary(),
  new EpochsRise(),
  new OnlyMembers(),
  new NothingLost(),
  new AcknowledgedEverywhere(),
  new AddressFollows(),
  new AppliedInOrder(),
  new NoHalfWrittenPrimary(),
  new CopiesAreEqual(),
  new VotesHold(),
  new OutcomesAreTrue(),
  new NoSecrets(),
  new ServiceReturns(),
  new PairReturns(),
  new NoStorms(),
  new EveryStateHasAnExit(),
];
