import { expect, test } from "vitest";
import { referenceDocument } from "./reference-document.ts";

test("docs/MODULES.md says what the table says", async () => {
  await expect(referenceDocument()).toMatchFileSnapshot("../../docs/MODULES.md");
});
