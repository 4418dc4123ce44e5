/**
 * Programs made of chance: what several processes do, each in a directory of its own, and then in
 * turn in one that they share; with faults of the pair meanwhile. A program is data and depends on
 * its seed alone. Its steps are those of the cases (language/parse.ts), so a shrunk program reads
 * like one.
 *
 * Only what must come out the same on every run is drawn: nothing that tells the time of day, an
 * inode's number, in which order two processes came, where a directory ends or what of a file is a
 * hole (both are the disk's own affair); and no known difference (docs/POSIX.md).
 */
import { Prng } from "../../sim/prng.ts";
import { ACTORS, type Actor, parseStep, type Step } from "../language/parse.ts";

/**
 * What happens to the pair while the processes work; see run.ts. The primary's agent is not killed
 * yet: that takes a mount which outlives it, and then one word here and one method of KillablePair.
 */
export const FAULTS = ["cut the link", "kill the peer"] as const;
export type Fault = (typeof FAULTS)[number];

export type Item =
  | { readonly kind: "own" | "shared"; readonly round: number; readonly step: Step }
  | { readonly kind: "fault"; readonly round: number; readonly fault: Fault };

export type Program = { readonly seed: number; readonly items: readonly Item[] };

const ROUNDS = 6;
const OWN_STEPS = 18;
const SHARED_STEPS = 10;
const FAULT_CHANCE = 0.5;

const NAMES = ["a", "b", "c", "d", "d/a", "d/b", "e", "e/a", "d/e", "d/e/a"];
const FILES = ["f", "g", "h"];
const MODES = ["0", "0600", "0640", "0644", "0666", "0755", "0777", "01777", "02775", "04755"];
const UIDS = ["0", "1001", "1002"];
const GIDS = ["-1", "0", "1001", "2000"];
const TIMES = ["omit", "1.5", "1000000000.123456789", "-7.25", "4000000000"];
const OPENS = ["RDONLY", "RDWR", "RDWR|CREAT", "RDWR|CREAT|EXCL", "RDWR|CREAT|TRUNC", "WRONLY"];
const RESTS = ["", "", "|APPEND", "|DSYNC", "|NOFOLLOW", "|DIRECTORY", "|NOATIME"];
const ACLS = ["u::6,u:1001:6,g::4,m::6,o::0", "u::7,g::5,g:2000:7,m::7,o::1", "u::6,g::4,o::4"];
const MODES_OF_ALLOCATING = ["0", "KEEP_SIZE", "PUNCH_HOLE|KEEP_SIZE", "ZERO", "ZERO|KEEP_SIZE"];

/** What everybody begins with, so that later steps find something. */
const PROLOGUE = [
  "f = open a RDWR|CREAT",
  "g = open b RDWR|CREAT",
  "h = open . RDWR|TMPFILE",
  "mkdir d",
  "mkdir e",
  "put d/a hello",
];

type Draw = (chance: Prng) => string;
const name: Draw = (chance) => chance.pick(NAMES);
const file: Draw = (chance) => chance.pick(FILES);
const at: Draw = (chance) => `${chance.pick([0, 1, 100, 4095, 4096, 8192, 60_000, 200_000])}`;
const length: Draw = (chance) => `${chance.pick([0, 1, 10, 4096, 5000, 65_536, 150_000])}`;
const text: Draw = (chance) => chance.pick(["x", "hello", "0123456789", "z*3000"]);

/** Templates, and how often each is drawn. Most act on names: there is most to go wrong. */
const STEPS: readonly (readonly [weight: number, draw: Draw])[] = [
  [
    8,
    (c) =>
      `${file(c)} = open ${name(c)} ${c.pick(OPENS)}${c.pick(RESTS)}|NONBLOCK ${c.pick(MODES)}`,
  ],
  [2, (c) => `${file(c)} = open . RDWR|TMPFILE ${c.pick(MODES)}`],
  [2, (c) => `linkat cwd /proc/self/fd/{${file(c)}} cwd ${name(c)} FOLLOW`],
  [2, (c) => `close ${file(c)}`],
  [6, (c) => `put ${name(c)} ${text(c)}`],
  [3, (c) => `fill ${name(c)} ${length(c)}`],
  [3, (c) => `append ${name(c)} ${text(c)}`],
  [6, (c) => `pwrite ${file(c)} ${text(c)} ${at(c)}`],
  [3, (c) => `write ${file(c)} ${text(c)}`],
  [3, (c) => `pfill ${file(c)} ${length(c)} ${at(c)}`],
  [3, (c) => `pread ${file(c)} 10 ${at(c)}`],
  [3, (c) => `truncate ${name(c)} ${length(c)}`],
  [3, (c) => `ftruncate ${file(c)} ${length(c)}`],
  [3, (c) => `fallocate ${file(c)} ${c.pick(MODES_OF_ALLOCATING)} ${at(c)} ${length(c)}`],
  [3, (c) => `copy ${file(c)} ${at(c)} ${file(c)} ${at(c)} ${length(c)}`],
  [3, (c) => `${c.pick(["fsync", "fdatasync"])} ${file(c)}`],
  [6, (c) => `mkdir ${name(c)} ${c.pick(MODES)}`],
  [4, (c) => `rmdir ${name(c)}`],
  [5, (c) => `unlink ${name(c)}`],
  [4, (c) => `link ${name(c)} ${name(c)}`],
  [3, (c) => `symlink ${name(c)} ${name(c)}`],
  [1, (c) => `readlink ${name(c)}`],
  [9, (c) => `rename ${name(c)} ${name(c)} ${c.pick(["0", "0", "NOREPLACE", "EXCHANGE"])}`],
  [2, (c) => `mknod ${name(c)} ${c.pick(["char", "socket", "file"])} 0644 0x103`],
  [4, (c) => `chmod ${name(c)} ${c.pick(MODES)}`],
  [2, (c) => `fchmod ${file(c)} ${c.pick(MODES)}`],
  [3, (c) => `${c.pick(["chown", "lchown"])} ${name(c)} ${c.pick(UIDS)} ${c.pick(GIDS)}`],
  [2, (c) => `${c.pick(["utimens", "lutimens"])} ${name(c)} ${c.pick(TIMES)} ${c.pick(TIMES)}`],
  [
    2,
    (c) => `setxattr ${name(c)} user.${c.pick(["x", "y"])} ${text(c)} ${c.pick(["0", "CREATE"])}`,
  ],
  [1, (c) => `getxattr ${name(c)} user.x`],
  [1, (c) => `removexattr ${name(c)} user.${c.pick(["x", "y"])}`],
  [2, (c) => `${c.pick(["setacl", "set-default-acl"])} ${name(c)} ${c.pick(ACLS)}`],
  [4, (c) => `lstat ${name(c)} type,mode,uid,gid,links`],
  [2, (c) => `fstat ${file(c)} type,mode,uid,gid,links,size`],
  [2, (c) => `digest ${name(c)}`],
  [2, (c) => `list ${c.pick([".", "d", "e"])}`],
  [1, (c) => `umask ${c.pick(["022", "077", "0"])}`],
];
const WEIGHTS = STEPS.reduce((sum, [weight]) => sum + weight, 0);

function drawStep(chance: Prng, actor: Actor): Step {
  let left = chance.next() * WEIGHTS;
  for (const [weight, draw] of STEPS) {
    left -= weight;
    if (left < 0) return parseStep(`${actor}: ${draw(chance)}`);
  }
  throw new Error("the weights do not add up");
}

function prologue(): Item[] {
  const shared = PROLOGUE.map((text) => parseStep(text));
  return [
    ...ACTORS.flatMap((actor) => PROLOGUE.map((text) => parseStep(`${actor}: ${text}`))).map(
      (step) => ({ kind: "own", round: 0, step }) as const,
    ),
    ...shared.map((step) => ({ kind: "shared", round: 0, step }) as const),
  ];
}

export function generate(seed: number): Program {
  const chance = new Prng(seed);
  const faults = chance.fork("faults");
  const shared = chance.fork("shared");
  const own = new Map(ACTORS.map((actor) => [actor, chance.fork(actor)]));
  const items = prologue();
  for (let round = 0; round < ROUNDS; round += 1) {
    if (faults.chance(FAULT_CHANCE))
      items.push({ kind: "fault", round, fault: faults.pick(FAULTS) });
    for (const [actor, stream] of own) {
      for (let n = 0; n < OWN_STEPS; n += 1) {
        items.push({ kind: "own", round, step: drawStep(stream, actor) });
      }
    }
    for (let n = 0; n < SHARED_STEPS; n += 1) {
      items.push({ kind: "shared", round, step: drawStep(shared, shared.pick(ACTORS)) });
    }
  }
  return { seed, items };
}
