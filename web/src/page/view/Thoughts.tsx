/** A model's thoughts: folded away, and live for those who look. */

import { useState } from "react";
import type { Long } from "../markdown/long.ts";
import { Markdown } from "../markdown/Markdown.tsx";

export function Thoughts({ text, isLive }: { readonly text: Long; readonly isLive: boolean }): React.ReactNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <details className="thoughts" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Thoughts</summary>
      {isOpen && <Markdown text={text} isLive={isLive} />}
    </details>
  );
}
