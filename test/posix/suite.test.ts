/** Every case of cases/, in its place: what is wrong with each. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { IS_LONG } from "../setup/length.ts";
import { Actors } from "./calls/actors.ts";
import { FAMILIES } from "./families.ts";
import { PLACES, type PlaceName } from "./places.ts";
import { whyNotRun } from "./served-directory.ts";
import { type Findings, runSuite } from "./suite.ts";

const notRun = whyNotRun();
const PLACE_MS_MAX = 300_000;
const NAMES: readonly PlaceName[] = ["ordinary", "small", "read-only", "secondary", "failing"];

describe.each(NAMES)(`on %s ${notRun ?? ""}`, (place) => {
  const families = FAMILIES.filter((family) => family.places.includes(place));
  const cases = families.flatMap((family) => family.cases).filter((one) => IS_LONG || !one.isLong);
  let actors: Actors | null = null;
  let findings: Findings = { ofCases: [], ofPlace: [] };

  beforeAll(async () => {
    if (notRun !== null) return;
    actors = await Actors.start();
    findings = await runSuite(cases, { actors, place });
  }, PLACE_MS_MAX);
  afterAll(() => actors?.kill());

  for (const family of families) {
    describe.skipIf(notRun !== null)(family.title, () => {
      test.each(family.cases.filter((one) => cases.includes(one)))("$name", (one) => {
        expect(findings.ofCases[cases.indexOf(one)]).toEqual([]);
      });
    });
  }

  test.skipIf(notRun !== null)(`no request ended in a fault: ${PLACES[place].what}`, () => {
    expect(findings.ofPlace).toEqual([]);
  });
});
