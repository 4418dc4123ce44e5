/** The feed's ports in a real browser. */
import type { ApiClient } from "./client.ts";
import type { FeedPorts } from "./cluster-feed.ts";

/** Clock, timers and visibility of this page. */
export const browserPorts = (api: ApiClient): FeedPorts => ({
  api,
  nowMs: () => Date.now(),
  isHidden: () => document.visibilityState === "hidden",
  pause: (ms, signal) =>
    new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        document.removeEventListener("visibilitychange", end);
        window.removeEventListener("online", end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener("abort", end, { once: true });
      document.addEventListener("visibilitychange", end);
      // The network came back: no need to wait out the retry.
      window.addEventListener("online", end);
      if (signal.aborted) end();
    }),
});
