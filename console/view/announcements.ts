/** What a screen reader is told while the page is open: changes of health, few and short. Pure. */
import type { Health, ModuleView } from "#model/contract/snapshot.ts";

/** A calm change waits this long after the one before. */
export const ANNOUNCE_MS_MIN = 5_000;

export interface Announcement {
  readonly text: string;
  /** A failure is said at once; everything else waits its turn. */
  readonly isUrgent: boolean;
}

const isUrgent = (health: Health): boolean => health === "Down" || health === "Failing over";

/** One sentence for all that changed between two looks; null when nothing did. */
export function announcementOf(
  before: ReadonlyMap<string, Health>,
  modules: readonly ModuleView[],
): Announcement | null {
  const changed = modules.filter(({ id, health }) => {
    const was = before.get(id);
    return was !== undefined && was !== health;
  });
  const [first, ...rest] = changed;
  if (first === undefined) return null;
  const more = rest.length === 0 ? "" : ` ${rest.length} more modules changed.`;
  return {
    text: `${first.id} is now ${first.health}. ${first.why}${more}`,
    isUrgent: changed.some(({ health }) => isUrgent(health)),
  };
}

/** What is compared with next time. */
export const healthsOf = (modules: readonly ModuleView[]): ReadonlyMap<string, Health> =>
  new Map(modules.map(({ id, health }) => [id, health]));
