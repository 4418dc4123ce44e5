import { CLUSTER } from "./elements/cluster.ts";
import { type AnyAttribute, type Row, rowsOf, type Support } from "./elements/element.ts";
import { SAFE } from "./elements/service.ts";

const SUPPORT_MARKS: Readonly<Record<Support, string>> = {
  acted: "yes",
  understood: "not yet",
  ignored: "ignored",
};

/**
 * docs/MODULES.md, made from the table, so that it cannot say anything else than the parser does.
 * A test compares it with the file; `vitest run -u reference-document` writes it anew.
 */
export function referenceDocument(): string {
  return `${[
    INTRODUCTION,
    "## userconfig.xml",
    ...rowsOf(SAFE).map(describeRow),
    RULES,
    "## cluster.xml",
    ...rowsOf(CLUSTER).map(describeRow),
  ].join("\n\n")}\n`;
}

function describeRow({ path, spec }: Row): string {
  const short = path.replace(/^safe\/service\//u, "");
  const parts = [`### \`${short}\``, spec.sentence.replaceAll("<", "&lt;")];
  if (spec.support !== "acted") parts.push(`**${supportSentence(spec.support, spec.why)}**`);
  const attributes = Object.values(spec.attributes);
  if (attributes.length > 0) {
    const head = "| Attribute | Value | Default | Acted on | Meaning |\n|---|---|---|---|---|";
    parts.push([head, ...attributes.map(describeAttribute)].join("\n"));
  }
  return parts.join("\n\n");
}

function describeAttribute(attribute: AnyAttribute): string {
  const { name, type, support, why, sentence } = attribute;
  const mark = `${SUPPORT_MARKS[support]}${why === "" ? "" : `: ${why}`}`;
  const cells = [`\`${name}\``, type.description, describeDefault(attribute), mark, sentence];
  return `| ${cells.map(escapeCell).join(" | ")} |`;
}

/** A bar would end the cell, and what looks like a tag would vanish. */
const escapeCell = (cell: string): string => cell.replaceAll("|", "\\|").replaceAll("<", "&lt;");

function describeDefault({ isRequired, defaultText }: AnyAttribute): string {
  if (isRequired) return "required";
  return defaultText === null ? "" : `\`${defaultText}\``;
}

const supportSentence = (support: Support, why: string): string =>
  `${support === "ignored" ? "Ignored" : "Understood, not acted on yet"}${why === "" ? "" : `: ${why}`}.`;

const INTRODUCTION = `# Module files

*Made from \`model/module/elements/\`, the table that the parser itself reads. Do not edit: change the
table, then run \`npx vitest run -u reference-document\`.*

A module is a \`.safe\` file: a zip archive with \`conf/userconfig.xml\` (what the module is) and scripts
in \`bin/\`. Files written for SafeKit are read as they are. What is understood but not acted on yet
gives a warning that says so; what is unknown is an error with its place and, where a name is near,
a suggestion. \`mirrorfarm module validate FILE.safe\` shows both.

## What a file may hold

- UTF-8 text (a byte order mark and Windows line ends are fine) with at most the bare
  \`<!DOCTYPE safe>\`: no DTD, no entity of its own, no processing instruction. At most 1 MiB, 50
  levels, 10 000 elements and attributes, 64 KiB a value.
- \`<macro name="X" value="v"/>\`, before or inside \`<safe>\`: every \`%X%\` that follows becomes v. What no
  macro defines is taken from the environment; what neither defines is an error on a node, and a
  warning elsewhere.
- Durations take a suffix: \`d h m s ms us\`. A bare number is in the unit named below. A value that
  would be rounded to 0 is an error.
- Numbers are plain decimal digits.
- A replicated directory is absolute, has no \`.\` or \`..\`, does not lie in another one, and does not
  belong to the machine (\`/\`, \`/etc\`, \`/usr\`, \`/proc\`, \`/run\`, …).
- A virtual address is no loopback, link-local, multicast, unspecified or reserved address.

The archive: at most 10 MiB packed, 50 MiB unpacked, 1 000 entries, 10 levels; names of letters,
digits and \`. _ -\` that begin with none of \`. -\`; regular files and directories only. What is
executable stays so (0755), all else becomes 0644. Two names that differ only in case, entries that
overlap, bytes that belong to no entry, and a checksum that does not match are refused.`;

const RULES = `### Failover rules

The text of \`<failover>\`, usually in a CDATA section:

\`\`\`
label: if ( expression ) then action();
\`\`\`

- An expression compares resources with states, \`tcp.web == down\`, and joins comparisons with
  \`!\`, \`&&\`, \`||\` and parentheses. \`/* … */\` is a comment.
- A resource is \`class.id\`, with \`local.\` (the default) or \`remote.\` before it. As id, \`?\` means any
  resource of the class and \`*\` means all of them.
- States: \`init\`, \`down\`, \`up\`, \`unknown\`. Actions: \`stop()\`, \`stopstart()\`, \`wait()\`, \`restart()\`,
  \`swap()\`. \`remote.\` and \`swap()\` belong in a mirror.
- Rules in Lua (\`--Lua Rules\`), \`cluster()\` and assignments such as \`rfs.uptodate=up\` are understood and
  not acted on.`;
