import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readModuleArchive } from "#model/archive/read-module-archive.ts";
import { writeModuleArchive } from "#model/archive/write-module-archive.ts";
import { AnswerWatch } from "./answer-watch.ts";
import { readModuleFile } from "./module-file.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "module-file-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const GOOD = `<safe>
  <service mode="mirror">
    <heart timeout="30000"><heartbeat name="default"/></heart>
    <vip><interface_list><interface><real_interface>
      <virtual_addr addr="192.0.2.50" where="one_side_alias"/>
    </real_interface></interface></interface_list></vip>
    <rfs><replicated dir="%FARM_DATA%/notes" mode="read_only"/></rfs>
    <user><var name="NOTES" value="%FARM_DATA%/notes"/></user>
    <check><tcp ident="notes" when="prim"><to addr="%FARM_ADDRESS%" port="8095"/></tcp></check>
  </service>
</safe>
`;

/** Somebody's module with that configuration, as `NAME.safe`. */
async function file(name: string, configuration: string): Promise<string> {
  const script = {
    path: "bin/start_prim",
    mode: 0o755,
    bytes: Buffer.from("#!/bin/sh\n"),
  } as const;
  const bytes = Buffer.from(configuration);
  const conf = { path: "conf/userconfig.xml", mode: 0o644, bytes } as const;
  writeFileSync(join(folder, name), await writeModuleArchive([script, conf]));
  return name;
}
async function refusal(name: string): Promise<string> {
  const read = await readModuleFile(name, folder);
  return read.ok ? "" : read.text;
}

describe("a module of somebody's own", () => {
  test("comes without its virtual address, and everything else as it was", async () => {
    const read = await readModuleFile(await file("notes.safe", GOOD), folder);
    if (!read.ok) throw new Error(read.text);
    const { name, port, notes, archive } = read.value;
    expect([name, port]).toEqual(["notes", 8095]);
    expect(notes.at(-1)).toBe(
      "the playground's own address stands for the virtual address 192.0.2.50",
    );
    expect(notes.join()).toContain("a killed node is missed after 30 s only");
    const files = await readModuleArchive(archive);
    if (!files.ok) throw new Error(files.error.message);
    const [script, conf] = files.value;
    expect(script).toMatchObject({ path: "bin/start_prim", mode: 0o755 });
    const text = Buffer.from(conf?.bytes ?? []).toString();
    expect(text).not.toContain("vip");
    // What an agent says later of a line is to be found in the owner's file.
    expect(text.split("\n")[6]).toBe(GOOD.split("\n")[6]);
  });

  test("that is not there, is a folder, or no archive, is told so with what to do", async () => {
    expect(await refusal("nothing.safe")).toContain(`there is no file ${folder}/nothing.safe`);
    mkdirSync(join(folder, "mine"));
    expect(await refusal("mine")).toContain(`(cd ${folder}/mine && zip -r ../mine.safe conf bin)`);
    writeFileSync(join(folder, "text.safe"), "this is no zip archive, whatever its name says");
    expect(await refusal("text.safe")).toContain("does not begin as a zip archive");
  });

  test("that has mistakes is told each of them with its place", async () => {
    const text = await refusal(await file("typo.safe", GOOD.replace("<replicated", "<replicatd")));
    expect(text).toContain("typo.safe cannot be used");
    expect(text).toContain('conf/userconfig.xml:7:10: error: <rfs> has no element "replicatd"');
    expect(text).toContain('did you mean "replicated"?');
    expect(text).toContain("docs/MODULES.md");
  });

  test("whose name no cluster would take is told so", async () => {
    expect(await refusal(await file("my notes.safe", GOOD))).toContain("rename the file");
  });

  test("is not run where both nodes would share a directory, or a checker looks nowhere", async () => {
    const shared = GOOD.replaceAll("%FARM_DATA%/notes", "/srv/notes");
    expect(await refusal(await file("shared.safe", shared))).toContain(
      "/srv/notes would be the directory of both nodes. Write %FARM_DATA%/notes",
    );
    const nowhere = GOOD.replace("%FARM_ADDRESS%", "192.0.2.50");
    expect(await refusal(await file("nowhere.safe", nowhere))).toContain(
      "its checker tcp.notes looks at the virtual address",
    );
  });
});

describe("a service whose language nobody speaks", () => {
  const listen = async (greet: boolean) => {
    const server = createServer((socket) => (greet ? socket.end("hello\n") : undefined));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    return { server, port: typeof address === "object" ? (address?.port ?? 0) : 0 };
  };

  test.each([true, false])("answers when it speaks first, or only stays (%s)", async (greet) => {
    const { server, port } = await listen(greet);
    const watch = new AnswerWatch(`127.0.0.1:${port}`);
    await expect.poll(() => watch.silentMs, { timeout: 10_000 }).not.toBeNull();
    watch.close();
    server.close();
  });

  test("does not answer when the connection is reset", async () => {
    const server = createServer((socket) => socket.resetAndDestroy());
    let taken = 0;
    server.on("connection", () => {
      taken += 1;
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    const watch = new AnswerWatch(`127.0.0.1:${port}`);
    await expect.poll(() => taken, { timeout: 10_000 }).toBeGreaterThan(2);
    expect(watch.silentMs).toBeNull();
    watch.close();
    server.close();
  });
});
