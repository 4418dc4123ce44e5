import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cases } from "../../test/setup/length.ts";
import { HOSTILE_ARCHIVES } from "./hostile-corpus.ts";
import { formatModuleError, loadModule } from "./load-module.ts";
import { CONFIGURATION_PATH, type ModuleFiles } from "./module-files.ts";
import { rawZip } from "./raw-zip.ts";
import { readModuleArchive } from "./read-module-archive.ts";
import { writeModuleArchive } from "./write-module-archive.ts";

const CONFIGURATION = '<safe><service mode="light"/></safe>';
const configured = (text: string) => ({ name: CONFIGURATION_PATH, data: Buffer.from(text) });
const FILES: ModuleFiles = [
  { path: "bin/start_both", mode: 0o755, bytes: Buffer.from("#!/bin/sh\n") },
  { path: CONFIGURATION_PATH, mode: 0o644, bytes: Buffer.from(CONFIGURATION) },
];
const hash = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

describe("an archive", () => {
  test("is read back as it was written, whatever its files hold", async () => {
    const contents = fc.uint8Array({ maxLength: 5000 });
    await fc.assert(
      fc.asyncProperty(contents, contents, async (one, other) => {
        const files: ModuleFiles = [
          { path: "bin/a", mode: 0o755, bytes: Buffer.from(one) },
          ...FILES,
          { path: "web/deep/er/b.dat", mode: 0o644, bytes: Buffer.from(other) },
        ];
        expect(await readModuleArchive(await writeModuleArchive(files))).toEqual({
          ok: true,
          value: files,
        });
      }),
      { numRuns: cases(20) },
    );
  });
  test("has the same bytes in every time zone and order of its files", async () => {
    const zone = process.env["TZ"];
    const hashes = new Set<string>();
    for (const one of ["UTC", "Asia/Kathmandu", "America/St_Johns"]) {
      process.env["TZ"] = one;
      hashes.add(hash(await writeModuleArchive(FILES)));
      hashes.add(hash(await writeModuleArchive(FILES.toReversed())));
    }
    if (zone === undefined) delete process.env["TZ"];
    else process.env["TZ"] = zone;
    expect(hashes.size).toBe(1);
  });
  test("gives what was executable 0755, and all else 0644", async () => {
    const modeOf = async (mode: number, host?: number) => {
      const entry = { name: "bin/x", mode, ...(host === undefined ? {} : { host }) };
      const read = await readModuleArchive(rawZip([configured(CONFIGURATION), entry]));
      return read.ok && read.value.find(({ path }) => path === "bin/x")?.mode;
    };
    expect(await modeOf(0o100777)).toBe(0o755);
    expect(await modeOf(0o100700)).toBe(0o755);
    expect(await modeOf(0o100666)).toBe(0o644);
    expect(await modeOf(0o100400)).toBe(0o644);
    // Windows (host 0) keeps no modes: what stands in bin/ is there to be run.
    expect(await modeOf(0, 0)).toBe(0o755);
  });
  test("may list its directories", async () => {
    const entries = [{ name: "conf/", mode: 0o040755 }, configured(CONFIGURATION)];
    expect(await readModuleArchive(rawZip(entries))).toMatchObject({ ok: true });
  });
  test("is refused when any one of its bytes is cut off", async () => {
    const whole = await writeModuleArchive(FILES);
    for (let length = 0; length < whole.length; length += 1) {
      expect((await readModuleArchive(whole.subarray(0, length))).ok).toBe(false);
    }
  });
  test("never gives other files when one of its bits flips", async () => {
    const whole = await writeModuleArchive(FILES);
    const expected = JSON.stringify(
      FILES.map(({ path, bytes }) => [path, hash(Buffer.from(bytes))]),
    );
    for (let bit = 0; bit < whole.length * 8; bit += 1) {
      const flipped = Buffer.from(whole);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const read = await readModuleArchive(flipped);
      if (!read.ok) continue;
      // Fields that mean nothing may differ, such as a time; a name that differs is another file.
      const found = JSON.stringify(
        read.value.map(({ path, bytes }) => [path, hash(Buffer.from(bytes))]),
      );
      expect(found, `bit ${bit}`).toBe(expected);
    }
  });
});

describe("a module", () => {
  test("is loaded with its config, its warnings and the hash of its bytes", async () => {
    const archive = rawZip([configured('<safe><service mode="light" boot_delay="1s"/></safe>')]);
    const loaded = await loadModule(archive);
    expect(loaded).toMatchObject({
      ok: true,
      value: {
        config: { mode: "light" },
        sha256: hash(archive),
        warnings: [
          { line: 1, column: 22 },
          { line: 1, column: 29 },
        ],
      },
    });
  });
  test("with a mistake says which file, line and column", async () => {
    const loaded = await loadModule(rawZip([configured('<safe>\n<service mode="lihgt"/></safe>')]));
    expect(loaded.ok ? "" : formatModuleError(loaded.error)).toContain(
      `${CONFIGURATION_PATH}:2:16: error: <service mode>: "lihgt" is not one of mirror, farm, light, did you mean "light"?`,
    );
  });
  test("is judged by the node's own environment there", async () => {
    const archive = rawZip([
      configured(
        '<safe><service mode="light"><user><var name="A" value="%HERE%"/></user></service></safe>',
      ),
    ]);
    expect(await loadModule(archive)).toMatchObject({ ok: true });
    expect(await loadModule(archive, { isOnNode: true })).toMatchObject({ ok: false });
    const environment = new Map([["HERE", "there"]]);
    expect(await loadModule(archive, { isOnNode: true, environment })).toMatchObject({
      value: { config: { user: { vars: [{ name: "A", value: "there" }] } } },
    });
  });
  test("whose configuration is no UTF-8 is refused", async () => {
    const data = Buffer.from(CONFIGURATION, "utf16le");
    const loaded = await loadModule(rawZip([{ name: CONFIGURATION_PATH, data }]));
    expect(loaded.ok ? "" : formatModuleError(loaded.error)).toMatch(/UTF-8|well-formed/u);
    const latin1 = Buffer.from(`<!-- \u00e9 -->${CONFIGURATION}`, "latin1");
    expect(await loadModule(rawZip([{ name: CONFIGURATION_PATH, data: latin1 }]))).toMatchObject({
      error: { error: { kind: "damaged" } },
    });
  });
  test("the corpus begins with the good one", () => {
    expect(HOSTILE_ARCHIVES.map(({ refusedAs }) => refusedAs === null).indexOf(true)).toBe(0);
    expect(HOSTILE_ARCHIVES.filter(({ refusedAs }) => refusedAs === null)).toHaveLength(1);
  });
});
