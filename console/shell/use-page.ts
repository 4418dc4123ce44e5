import { useEffect } from "react";
import { useLocation } from "react-router";

/**
 * Names the page in the tab, and moves the focus to its heading when it opens: a screen reader then
 * reads the new page from its top. The very first page keeps the browser's own focus.
 */
export function usePage(title: string): void {
  const { key } = useLocation();
  useEffect(() => {
    document.title = title === "" ? "Mirrorfarm" : `${title} – Mirrorfarm`;
  }, [title]);
  const isFirst = key === "default";
  // biome-ignore lint/correctness/useExhaustiveDependencies: only when the page opens
  useEffect(() => {
    if (isFirst) return;
    const heading = document.querySelector("h1");
    heading?.setAttribute("tabindex", "-1");
    heading?.focus();
  }, []);
}
