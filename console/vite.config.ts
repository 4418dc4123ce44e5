import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/**
 * Builds to console/dist, which the control plane serves. Names carry a hash of the contents, so
 * browsers may keep them for ever; what changes rarely (React, the components) is apart from our
 * own code, so that an upgrade of ours does not fetch them anew. Nothing is fetched from elsewhere.
 */
export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    // A data URL in a script would need a looser content security policy than the server sends.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 900,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "react", test: /node_modules\/(react|react-dom|react-router|scheduler)\// },
            { name: "contract", test: /node_modules\/zod\/|\/model\// },
          ],
        },
      },
    },
  },
});
