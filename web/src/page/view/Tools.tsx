/** What stands below a message: its alternatives, and what can be done with it. */

import { useState } from "react";
import { choose, remove } from "../state/acts.ts";
import type { Key } from "../state/words.ts";
import { Icon } from "./icons.tsx";

/** `siblings`: the keys of all alternatives, with spaces between. */
export function Branches({ talkKey, own, siblings }: { talkKey: Key; own: Key; siblings: string }): React.ReactNode {
  const keys = siblings.split(" ");
  const at = keys.indexOf(own);
  if (keys.length < 2) return null;
  const step = (by: number, label: string, icon: "left" | "right"): React.ReactNode => {
    const key = keys[at + by];
    return (
      <button
        type="button"
        className="quiet"
        aria-label={label}
        disabled={key === undefined}
        onClick={() => key !== undefined && void choose(talkKey, key)}
      >
        <Icon name={icon} />
      </button>
    );
  };
  return (
    <span className="branches" role="group" aria-label="Alternatives">
      {step(-1, "Previous alternative", "left")}
      <span>
        {at + 1}/{keys.length}
      </span>
      {step(1, "Next alternative", "right")}
    </span>
  );
}

export function Delete({ talkKey, own }: { talkKey: Key; own: Key }): React.ReactNode {
  const [isAsking, setAsking] = useState(false);
  if (!isAsking) {
    return (
      <button type="button" className="quiet" aria-label="Delete" title="Delete" onClick={() => setAsking(true)}>
        <Icon name="bin" />
      </button>
    );
  }
  return (
    <span className="asking" role="group" aria-label="Delete this and all that follows?">
      <span>Delete this and all that follows?</span>
      <button type="button" className="quiet text danger" autoFocus onClick={() => void remove(talkKey, own)}>
        Delete
      </button>
      <button type="button" className="quiet text" onClick={() => setAsking(false)}>
        Keep
      </button>
    </span>
  );
}
