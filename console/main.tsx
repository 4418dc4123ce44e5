/**
 * The console: what a person sees and does in a browser. It shows what the control plane says and
 * guesses nothing; when nothing is heard it says so instead of showing an old state as the present.
 *
 *   shell/    frame of every page: navigation, connection, theme, flash bar, announcements
 *   pages/    one folder a route        actions/  what a person can ask for, and how it is asked
 *   view/     view models: pure functions from the contract's records to what is drawn
 *   api/      requests, the stream, the one reducer        fake-api/  the API for tests
 */
import "@cloudscape-design/global-styles/index.css";
import "./console.css";
import { colorBackgroundLayoutMain } from "@cloudscape-design/design-tokens";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./shell/app.tsx";
import { applyTheme, rememberedTheme } from "./shell/theme.ts";

// Before anything is drawn, so that a dark page never flashes white.
applyTheme(rememberedTheme());
// The components colour their own ground only; around them, and before them, it is the page's.
document.body.style.background = colorBackgroundLayoutMain;
const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
