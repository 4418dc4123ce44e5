/** Light or dark: as the system says, until a person chooses. */
import { applyMode, Mode } from "@cloudscape-design/global-styles";

export type Theme = "light" | "dark";
const KEY = "mirrorfarm-theme";

/** The person's choice, or the system's. A browser that keeps nothing still shows a page. */
export function rememberedTheme(): Theme {
  const system = window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  try {
    const kept = window.localStorage.getItem(KEY);
    return kept === "dark" || kept === "light" ? kept : system;
  } catch {
    return system;
  }
}

/** Recolours the page at once. */
export function applyTheme(theme: Theme): void {
  applyMode(theme === "dark" ? Mode.Dark : Mode.Light);
  document.documentElement.style.colorScheme = theme;
}

/** Recolours the page and keeps the choice in this browser. */
export function chooseTheme(theme: Theme): void {
  applyTheme(theme);
  try {
    window.localStorage.setItem(KEY, theme);
  } catch {
    // Storage is turned off: the choice lasts until the page is closed.
  }
}
