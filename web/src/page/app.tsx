/** The page, in its place. */

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { fetchMarkdown } from "./markdown/Markdown.tsx";
import { App, begin } from "./view/App.tsx";

const queries = new QueryClient({
  defaultOptions: { queries: { retry: 1, staleTime: 5_000, refetchOnWindowFocus: true, networkMode: "always" } },
});

const IDLE_MS = 500;

/** Draw the page once it is known what it shows: all of it in one. */
export async function draw(): Promise<void> {
  const first = await begin();
  if (document.readyState === "loading") await new Promise((resolve) => addEventListener("DOMContentLoaded", resolve));
  const place = document.getElementById("root");
  if (place === null) return;
  createRoot(place).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <App first={first} />
      </QueryClientProvider>
    </StrictMode>,
  );
  setTimeout(fetchMarkdown, IDLE_MS); // it is there before the first answer is
}
