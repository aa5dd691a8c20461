/** Copies a text, and says that it did. */

import { useState } from "react";
import { complain, say } from "../state/store.ts";
import { Icon } from "./icons.tsx";

const SHOWN_MS = 1500;

interface Props {
  /** Asked for when it is copied. */
  readonly text: () => string;
  readonly what: string;
}

export function CopyButton({ text, what }: Props): React.ReactNode {
  const [isDone, setDone] = useState(false);
  const copy = async (): Promise<void> => {
    try {
      await write(text());
    } catch {
      complain("The browser does not let this page copy.");
      return;
    }
    say("Copied.");
    setDone(true);
    setTimeout(() => setDone(false), SHOWN_MS);
  };
  return (
    <button type="button" className="quiet" aria-label={`Copy ${what}`} title={`Copy ${what}`} onClick={() => void copy()}>
      <Icon name={isDone ? "done" : "copy"} />
    </button>
  );
}

/** Browsers give pages over plain HTTP no clipboard; a selection can be copied all the same. */
async function write(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement("textarea");
  area.value = text;
  const before = document.activeElement;
  document.body.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  if (before instanceof HTMLElement) before.focus();
  if (!isDone) throw new Error("refused");
}
