/** What goes on with an answer that is made: in words, and as a share where one is known. */

import { useEffect, useState } from "react";
import type { Live, Phase } from "../state/words.ts";

const SAID_AFTER_S = 2;

export function PhaseLine({ live, isQuiet }: { readonly live: Live; readonly isQuiet: boolean }): React.ReactNode {
  const seconds = useSeconds(live.since, !isQuiet);
  if (isQuiet && !live.stopping) return null;
  const share = shareOf(live);
  return (
    <p className="phase">
      <span className="cursor" aria-hidden="true" />
      {live.stopping ? "Stopping" : wordsFor(live.phase)}
      {share !== null && !live.stopping && <span className="number"> {Math.floor(share * 100)} %</span>}
      {seconds >= SAID_AFTER_S && live.phase.kind !== "writing" && <span className="number"> · {seconds} s</span>}
    </p>
  );
}

/** Return how much is done of what goes on, from 0 to 1; null where that is not known. */
export function shareOf({ phase, pieces, maxTokens }: Live): number | null {
  switch (phase.kind) {
    case "loading":
      return phase.progress;
    case "reading":
      return phase.total > 0 ? Math.min(1, phase.read / phase.total) : null;
    case "thinking":
    case "writing":
      return maxTokens === null ? null : Math.min(1, pieces / maxTokens);
    default:
      return null;
  }
}

function wordsFor(phase: Phase): string {
  switch (phase.kind) {
    case "sending":
      return "Sending";
    case "waiting":
      return "Waiting for the first word";
    case "queued":
      return phase.place === null ? "In the queue" : `In the queue, place ${phase.place}`;
    case "loading":
      return phase.model === null ? "Loading the model" : `Loading ${phase.model}`;
    case "reading":
      return "Reading the prompt";
    case "thinking":
      return "Thinking";
    case "writing":
      return "Writing";
  }
}

function useSeconds(since: number, isOn: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!isOn) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [isOn, since]);
  return Math.max(0, Math.floor((now - since) / 1000));
}
