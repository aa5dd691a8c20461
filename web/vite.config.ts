/** Builds the page into the Python package, which serves it. */

import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const here = fileURLToPath(new URL(".", import.meta.url));
const outDir = join(here, "../src/headrace/doors/page/dist");
const SHRINKS = /\.(js|css|html|svg)$/;
const WORTH_BYTES = 1024;

/**
 * Diagrams are drawn in a frame that has no origin and may fetch nothing: so its page holds all that it needs.
 * See DESIGN.md.
 */
function diagrams(): Plugin {
  return {
    name: "headrace-diagrams",
    apply: "build",
    closeBundle(): void {
      const scripts = ["node_modules/mermaid/dist/mermaid.min.js", "src/diagram/draw.js"]
        .map((path) => readFileSync(join(here, path), "utf8").replace(/<(?=\/script|!--)/gi, "\\x3c"))
        .map((script) => `<script>${script}</script>`);
      const head = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Diagram</title></head><body>';
      writeFileSync(join(outDir, "diagram.html"), `${head}${scripts.join("")}</body></html>\n`);
    },
  };
}

/** The page's script is fetched beside the short one that asks for the chat, and not after it. */
function preloaded(): Plugin {
  return {
    name: "headrace-preloaded",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler(_html, { bundle }) {
        const chunks = Object.values(bundle ?? {}).filter((made) => made.type === "chunk");
        const page = chunks.find(({ facadeModuleId }) => facadeModuleId === join(here, "src/page/app.tsx"));
        const needed = page === undefined ? [] : [page.fileName, ...page.imports];
        return chunks
          .filter(({ fileName, isEntry }) => needed.includes(fileName) && !isEntry)
          .map(({ fileName }) => ({
            tag: "link",
            attrs: { rel: "modulepreload", crossorigin: true, href: `/page/${fileName}` },
            injectTo: "head" as const,
          }));
      },
    },
  };
}

/** What is served is compressed here, once. */
function compressed(): Plugin {
  return {
    name: "headrace-compressed",
    apply: "build",
    closeBundle(): void {
      for (const name of readdirSync(outDir, { recursive: true, encoding: "utf8" })) {
        const path = join(outDir, name);
        if (!SHRINKS.test(name) || statSync(path).size < WORTH_BYTES) continue;
        writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  root: here,
  base: "/page/",
  plugins: [react(), preloaded(), diagrams(), compressed()],
  build: { outDir, emptyOutDir: true, target: "es2022", chunkSizeWarningLimit: 700, assetsInlineLimit: 0 },
  worker: { format: "es" },
});
