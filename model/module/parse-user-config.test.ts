import { describe, expect, test } from "vitest";
import { inFarm, inMirror } from "./elements/user-cases.ts";
import { type ParseOptions, parseUserConfig } from "./parse-user-config.ts";
import { formatProblem, PROBLEMS_MAX } from "./problem.ts";

const errorsOf = (xml: string, options?: ParseOptions): readonly string[] => {
  const parsed = parseUserConfig(xml, options);
  return parsed.ok ? [] : parsed.error.map(({ message }) => message);
};
const warningsOf = (xml: string, options?: ParseOptions): readonly string[] => {
  const parsed = parseUserConfig(xml, options);
  if (!parsed.ok) throw new Error(parsed.error.map(formatProblem).join("\n"));
  return parsed.value.warnings.map(({ message }) => message);
};
const LIGHT = '<service mode="light"/>';

describe("problems", () => {
  test("show file, line, column, the line before, the line, a caret and a suggestion", () => {
    const xml = inMirror("").replace("<heart>", '<heart pulse="700"\n\t timeoutt="30000">');
    const parsed = parseUserConfig(xml, { file: "a.xml" });
    expect(parsed.ok ? [] : parsed.error.map(formatProblem)).toEqual([
      [
        'a.xml:5:3: error: <heart> has no attribute "timeoutt", did you mean "timeout"?',
        '    4 | <heart pulse="700"',
        '>   5 | \t timeoutt="30000"><heartbeat name="net"/></heart>',
        "      | \t ^",
      ].join("\n"),
    ]);
  });
  test("are all reported, in the order of the file", () => {
    const xml = inMirror('<rfs nbrei="x"><replicated/></rfs>\n<usr/>\n<errd polltimer="-1"/>');
    expect(errorsOf(xml)).toEqual([
      expect.stringContaining('<rfs nbrei>: "x" is not a whole number'),
      '<replicated> needs attribute "dir"',
      '<service> has no element "usr", did you mean "user"?',
      "<errd> needs a <user>: without it no script runs",
      expect.stringContaining('<errd polltimer>: "-1" is not a duration'),
    ]);
  });
  test("end at a bound, however many there are", () => {
    expect(errorsOf(inMirror("<x/>".repeat(500)))).toHaveLength(PROBLEMS_MAX);
  });
  test("count columns in characters, and lines over CRLF and behind a byte order mark", () => {
    const xml = `\ufeff<safe>\r\n<!-- 😀 --><service mode="lite"/>\r\n</safe>`;
    const parsed = parseUserConfig(xml);
    expect(parsed.ok ? null : parsed.error[0]).toMatchObject({ line: 2, column: 26 });
  });
  test("never show what a terminal would obey", () => {
    const message = errorsOf(`<safe><service mode="\u202e&#x9b;31m"/></safe>`).join();
    expect(message).not.toMatch(/[\u202e\u009b]/u);
  });
});

describe("macros", () => {
  const withMacro = (before: string, value: string) =>
    `${before}<safe>${inMirror(`<rfs><replicated dir="${value}"/></rfs>`).replace(/<!DOCTYPE safe>|<\/?safe>/gu, "")}</safe>`;
  const dirOf = (xml: string, options?: ParseOptions) => {
    const parsed = parseUserConfig(xml, options);
    if (!parsed.ok) throw new Error(parsed.error.map(formatProblem).join("\n"));
    const { config } = parsed.value;
    return config.mode === "mirror" ? config.rfs?.replicated[0]?.dir : null;
  };
  const environment = new Map([["DATA", "/srv/environment"]]);

  test("stand before <safe> too, and may use earlier ones", () => {
    const before = '<macro name="A" value="/srv"/><macro name="B" value="%A%/b"/>';
    expect(dirOf(withMacro(before, "%B%/c"))).toBe("/srv/b/c");
  });
  test("win over the environment, which is asked next", () => {
    const macro = '<macro name="DATA" value="/srv/macro"/>';
    expect(dirOf(withMacro(macro, "%DATA%"), { environment })).toBe("/srv/macro");
    expect(dirOf(withMacro("", "%DATA%"), { environment })).toBe("/srv/environment");
  });
  test("that nobody defines are an error on a node and a warning elsewhere", () => {
    const xml = withMacro('<macro name="DATA_DIR" value="/srv"/>', "%DATA_DIRR%");
    const unknown = 'no macro and no variable of the environment is named "DATA_DIRR"';
    expect(errorsOf(xml, { isOnNode: true })).toEqual([`${unknown}, did you mean "DATA_DIR"?`]);
    expect(warningsOf(xml)).toEqual([`${unknown} here, the node's environment has to define it`]);
    expect(dirOf(xml)).toBe("%DATA_DIRR%");
  });
  test("leave a percent sign alone that opens none", () => {
    const xml = inMirror('<user><var name="A" value="50% of 80%"/></user>');
    expect(warningsOf(xml)).toEqual([]);
  });
  test("cannot grow without end", () => {
    const macros = Array.from({ length: 40 }, (_, index) =>
      index === 0
        ? '<macro name="m0" value="0123456789"/>'
        : `<macro name="m${index}" value="%m${index - 1}%%m${index - 1}%"/>`,
    );
    expect(errorsOf(`<safe>${macros.join("")}${LIGHT}</safe>`).join()).toContain("4096");
    const long = `<macro name="a" value="${"x".repeat(4000)}"/>`;
    expect(
      errorsOf(`<safe>${long}<macro name="b" value="${"%a%".repeat(100)}"/>${LIGHT}</safe>`),
    ).toEqual(["macros make this value too long"]);
  });
  test("cannot hide the mode from whoever has to judge the file", () => {
    expect(errorsOf('<safe><service mode="%MODE%"/></safe>')).toEqual([
      "the mode has to be known here: define its macro",
    ]);
  });
});

describe("what is right in each element and wrong together", () => {
  const address = (addr: string, where = "one_side_alias") =>
    `<vip><interface_list><interface><real_interface><virtual_addr addr="${addr}" where="${where}"/></real_interface></interface></interface_list></vip>`;
  const dirs = (...paths: string[]) =>
    `<rfs>${paths.map((path) => `<replicated dir="${path}"/>`).join("")}</rfs>`;
  const proc = (attributes: string) => `<user/><errd><proc ${attributes}/></errd>`;
  const check = (inner: string) => `<check>${inner}</check>`;
  const tcp = (attributes: string) =>
    check(`<tcp ${attributes}><to addr="127.0.0.1" port="1"/></tcp>`);
  const rule = (text: string) => `<failover><![CDATA[\n  ${text}]]></failover>`;

  test.each<[string, string]>([
    ['<safe><service mode="mirror"/></safe>', "a mirror module needs a <heart>"],
    ['<safe><service mode="farm"/></safe>', "a farm module needs a <farm>"],
    [inFarm(dirs("/srv/a")), "<rfs> belongs in a mirror module"],
    [inMirror('<farm><lan name="x"/></farm>'), "<farm> belongs in a farm module"],
    [inMirror("", '<heartbeat name="a" ident="flow"/>'), "the module has no <rfs>"],
    [inMirror("", '<heartbeat name="a"/><heartbeat name="a"/>'), 'has name "a" already'],
    [inMirror("", "<heartbeat/>"), '<heartbeat> needs attribute "name"'],
    [
      inMirror("", `<heartbeat>${'<server addr="192.0.2.1"/>'.repeat(3)}</heartbeat>`),
      "a mirror keeps its data on two nodes, and this lists more",
    ],
    [
      inMirror("").replace("<heart>", '<heart pulse="20s" timeout="30s">'),
      "heartbeatMs 20000 and detectAfterMs 30000 contradict each other",
    ],
    [inMirror(dirs("/srv/a", "/srv/a/b")), "which is replicated already"],
    [inMirror(dirs("/srv/a/b", "/srv/a")), "and is replicated already"],
    [inMirror(dirs("/srv/a", "/srv/a/")), '"/srv/a" is replicated already'],
    [inMirror('<rfs><replicated dir="/srv/a"/><flow name="nett"/></rfs>'), 'did you mean "net"?'],
    [
      inMirror('<rfs ruzone_blocksize="1000000"><replicated dir="/srv/a"/></rfs>'),
      "multiple of reipacketsize",
    ],
    [inMirror(address("192.0.2.1", "alias")), "in a mirror module where has to be"],
    [inFarm(address("192.0.2.1")), 'in a farm module where has to be "alias"'],
    [inMirror("<errd/>"), "<errd> needs a <user>"],
    [inMirror(proc('name="averylongcommandname" class="prim"')), "Linux keeps 1 to 15 bytes"],
    [inMirror(proc('name="a" class="prim" action="my_handler"')), "needs a class of its own"],
    [
      inMirror(proc('name="a" class="x" atleast="3" atmax="2"')),
      "atmax (2) is less than atleast (3)",
    ],
    [inFarm(proc('name="a" class="prim"')), 'in a farm module use "both"'],
    [inMirror(proc('name="a" class="x" restart_services="a"')), 'goes with service="yes"'],
    [inMirror(tcp('ident="a" when="pre" action="restart"')), 'when "pre" goes with "wait"'],
    [inMirror(tcp('ident="a" when="prim" action="wait"')), 'when "prim" goes with "stop"'],
    [inFarm(tcp('ident="a" when="prim"')), 'in a farm module use "both"'],
    [inMirror(tcp('ident="a" when="both"') + tcp('ident="a" when="both"')), 'ident "a" already'],
    [
      inMirror(check('<splitbrain ident="a" arg="192.0.2.1"/><splitbrain ident="b" arg="::1"/>')),
      "a module has one <splitbrain> only",
    ],
    [inMirror(check('<splitbrain ident="a" arg="-c"/>')), 'witness "-c" is not an address'],
    [inMirror('<failover handle_time="12s"/>'), "handle_time has to be a multiple of period"],
    [inMirror(rule("a: if (tcp.x == dwn) then stop();")), 'did you mean "down"?'],
    [inFarm(rule("a: if (remote.tcp.x == down) then stop();")), "belong in a mirror module"],
  ])("%s", (xml, message) => {
    expect(errorsOf(xml).join("\n")).toContain(message);
    expect(errorsOf(xml)).toHaveLength(1);
  });

  test("a <heart> is an error with the profile that it contradicts, or when none can carry it", () => {
    const quick = inMirror("").replace("<heart>", '<heart timeout="400ms">');
    expect(parseUserConfig(quick, { timers: "fast" }).ok).toBe(true);
    expect(parseUserConfig(quick).ok).toBe(true);
    const refused = parseUserConfig(quick, { timers: "default" });
    const text = 'with the timer profile "default" heartbeatMs 200 and detectAfterMs 400';
    expect(refused.ok ? "" : refused.error[0]?.message).toContain(text);
  });

  test("an error in a rule points into the CDATA section", () => {
    const parsed = parseUserConfig(inMirror(rule("a: if (tcp.x == dwn) then stop();")));
    const [problem] = parsed.ok ? [] : parsed.error;
    expect(problem?.sourceLine.slice((problem?.column ?? 0) - 1)).toMatch(/^dwn/u);
  });
  test.each([
    "169.254.169.254",
    "0.0.0.0",
    "127.0.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "::ffff:169.254.169.254",
    "0x7f.1",
    "127.1",
    "2130706433",
    "0177.0.0.1",
    "192.0.2.1&#10;",
  ])("%s is no virtual address", (addr) => {
    expect(errorsOf(inMirror(address(addr)))).toHaveLength(1);
  });
  test("a playground may have a loopback address, and nothing else of these", () => {
    const options = { allowLoopback: true };
    expect(errorsOf(inMirror(address("127.0.0.50")), options)).toEqual([]);
    expect(errorsOf(inMirror(address("169.254.169.254")), options)).toHaveLength(1);
  });
  test.each([
    "/",
    "/etc",
    "/proc",
    "/proc/self",
    "/run/x",
    "/usr/lib/x",
    "srv/data",
    "/srv/../etc",
    "/srv//a",
    "/srv/.",
    "C:\\data",
    "/var/lib/mirrorfarm/modules",
    "/srv/a&#10;b",
  ])("%s is no replicated directory", (dir) => {
    expect(errorsOf(inMirror(dirs(dir)))).toHaveLength(1);
  });
  test("a <tcp> without an action gets the one that its time allows", () => {
    const parsed = parseUserConfig(inMirror(tcp('ident="a" when="pre"')));
    expect(parsed.ok && parsed.value.config.checks[0]?.action).toBe("wait");
  });
});
