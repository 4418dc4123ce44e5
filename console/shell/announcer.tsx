import { useEffect, useRef, useState } from "react";
import type { Health, ModuleView } from "#model/contract/snapshot.ts";
import {
  ANNOUNCE_MS_MIN,
  type Announcement,
  announcementOf,
  healthsOf,
} from "../view/announcements.ts";

/** Reads changes of health out: failures at once, all else at most once in five seconds. */
export function Announcer({ modules }: { readonly modules: readonly ModuleView[] }) {
  const before = useRef<ReadonlyMap<string, Health>>(new Map());
  const saidAtMs = useRef(0);
  const [said, setSaid] = useState<Announcement | null>(null);
  useEffect(() => {
    const say = () => {
      const next = announcementOf(before.current, modules);
      before.current = healthsOf(modules);
      if (next === null) return;
      saidAtMs.current = Date.now();
      setSaid(next);
    };
    const next = announcementOf(before.current, modules);
    const waitMs = saidAtMs.current + ANNOUNCE_MS_MIN - Date.now();
    if (next === null || next.isUrgent || waitMs <= 0) return say();
    const timer = setTimeout(say, waitMs);
    return () => clearTimeout(timer);
  }, [modules]);
  return (
    <div className="announcer">
      <div role="status">{said?.isUrgent === false ? said.text : ""}</div>
      <div role="alert">{said?.isUrgent === true ? said.text : ""}</div>
    </div>
  );
}
