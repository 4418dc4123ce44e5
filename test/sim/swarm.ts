import { FAULTS } from "./faults/all.ts";
import { Prng } from "./prng.ts";

/** What is done to the world, and when, in true time: data, so that it can be shown and shrunk. */
export type PlannedFault = {
  readonly id: number;
  readonly atMs: number;
  readonly name: string;
  readonly lastsMs: number;
};
export type Burst = { readonly atMs: number; readonly lastsMs: number; readonly perSecond: number };

export type Plan = {
  readonly seed: number;
  readonly lastsMs: number;
  readonly addressMovedBy: "nodes" | "cloud";
  readonly defaultPrimary: "alone" | "a";
  readonly sync: "write" | "fsync";
  /** A second module on the same nodes, which prefers the other one. */
  readonly isCrossed: boolean;
  /** Only two voters come back in the end: the witness and a node that has everything. */
  readonly healsCoreOnly: boolean;
  readonly faults: readonly PlannedFault[];
  readonly bursts: readonly Burst[];
  /** When everything that is broken is mended, and what stopped is started. */
  readonly mends: readonly number[];
};

const CRASHES = FAULTS.filter(({ name }) => name === "crashPoint");

/** An undisturbed beginning, so that there is something to lose. */
const FIRST_MS = 3_000;
const EPISODE_MS = [20_000, 90_000] as const;
/** In histories of hours, which are for what grows and wears out: rarer, and shorter. */
const SHORT_EPISODE_MS = [8_000, 30_000] as const;
const MEND_MS = 4_000;
const PEACE_MS = [600_000, 6_000_000] as const;

/**
 * Swarm testing (Groce et al., 2012): each seed draws which kinds of faults there are at all, half
 * of them at most three, and how fast they follow each other. Faults come in episodes, in which the
 * application writes too; between them there is peace, shorter or longer.
 */
export function planOf(seed: number, hours: number): Plan {
  const prng = new Prng(seed).fork("plan");
  const lastsMs = hours * 3_600_000;
  const kinds = prng.chance(0.5) ? prng.int(1, 3) : prng.int(4, FAULTS.length);
  const sampled = prng.sample(FAULTS, kinds);
  // What breaks protocols most is a process that dies between two steps: oftener than its share.
  const chosen = prng.chance(0.3) ? [...sampled, ...CRASHES] : sampled;
  const gapMs = prng.pick([1500, 5000, 15_000]);
  const faults: PlannedFault[] = [];
  const bursts: Burst[] = [];
  const mends: number[] = [];
  const isShort = hours < 0.5;
  const [shortestMs, longestMs] = isShort ? EPISODE_MS : SHORT_EPISODE_MS;
  for (let atMs = FIRST_MS; atMs < lastsMs; ) {
    const episodeMs = Math.min(prng.between(shortestMs, longestMs), lastsMs - atMs);
    const perSecond = prng.pick([1, 3, 10]);
    // Then people look after what was broken, as they do.
    mends.push(atMs + episodeMs + MEND_MS);
    bursts.push({ atMs, lastsMs: episodeMs, perSecond });
    for (let t = atMs + prng.between(500, 4000); t < atMs + episodeMs; ) {
      const fault = prng.pick(chosen);
      const [short, long] = fault.lastsMs;
      // Short and long ones alike: their lengths are spread over orders of magnitude.
      const faultMs = short === 0 ? 0 : short * (long / short) ** prng.next();
      faults.push({ id: faults.length, atMs: t, name: fault.name, lastsMs: faultMs });
      t += gapMs * prng.between(0.1, 2);
    }
    // Long histories have long stretches of peace, as clusters do.
    atMs += episodeMs + (isShort ? prng.between(0, 60_000) : prng.between(...PEACE_MS));
  }
  return {
    ...{ seed, lastsMs, faults, bursts, mends },
    addressMovedBy: prng.pick(["nodes", "cloud"]),
    defaultPrimary: prng.pick(["alone", "alone", "a"]),
    healsCoreOnly: prng.chance(0.2),
    isCrossed: prng.chance(0.15),
    sync: prng.pick(["write", "write", "fsync"]),
  };
}
