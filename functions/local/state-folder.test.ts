import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parsePlace, placeText } from "./listeners.ts";
import { openStateFolder } from "./state-folder.ts";

let folder = "";
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "state-folder-")), "state");
});
afterEach(() => rmSync(join(folder, ".."), { recursive: true, force: true }));

describe("the state folder", () => {
  test("is its owner's alone, and so is everything in it", async () => {
    await openStateFolder(folder, Date.now());
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const names = readdirSync(folder);
    expect(names.sort()).toEqual(["ca.crt", "ca.key", "secret"]);
    for (const name of names) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
  });

  test("keeps its secret and its CA", async () => {
    const first = await openStateFolder(folder, Date.now());
    const second = await openStateFolder(folder, Date.now());
    expect(second).toEqual(first);
    expect(first.secret.length).toBeGreaterThanOrEqual(43);
  });

  test.each(["secret", "ca.key"])("refuses a %s that others could have read", async (name) => {
    await openStateFolder(folder, Date.now());
    chmodSync(join(folder, name), 0o640);
    await expect(openStateFolder(folder, Date.now())).rejects.toThrow("can be read by others");
  });

  test("makes a new pair when a crash left the certificate without its key", async () => {
    const first = await openStateFolder(folder, Date.now());
    rmSync(join(folder, "ca.key"));
    const second = await openStateFolder(folder, Date.now());
    expect(second.ca.certificatePem).not.toBe(first.ca.certificatePem);
  });
});

describe("a place", () => {
  test.each([
    ["127.0.0.1:80", "127.0.0.1", 80],
    ["[::1]:0", "::1", 0],
    ["cp.example:65535", "cp.example", 65535],
  ])("%s", (text, host, port) => {
    expect(parsePlace(text)).toEqual({ host, port });
    expect(placeText({ host, port })).toBe(text);
  });

  test.each(["nonsense", ":80", "a:b", "a:70000", "::1:80"])("%s is none", (text) => {
    expect(() => parsePlace(text)).toThrow("HOST:PORT");
  });
});
