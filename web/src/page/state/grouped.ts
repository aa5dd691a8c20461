/** Parts as they are shown: adjacent ones of one kind are one text, in pieces. */

import type { Part } from "../../client/index.ts";

type Said = "text" | "reasoning";

export type Shown = { readonly type: Said; readonly text: readonly string[] } | Exclude<Part, { readonly type: Said }>;

export function grouped(parts: readonly Part[]): readonly Shown[] {
  const shown: Shown[] = [];
  let open: Part["type"] | null = null;
  let text: string[] = [];
  for (const part of parts) {
    if (part.type !== "text" && part.type !== "reasoning") {
      shown.push(part);
    } else if (open === part.type) {
      text.push(part.text);
    } else {
      text = [part.text];
      shown.push({ type: part.type, text });
    }
    open = part.type;
  }
  return shown;
}
