/** What is said quietly: that the way to the server is gone, and what could not be done. */

import { useEffect, useState } from "react";
import { dismiss } from "../state/acts.ts";
import { useStore } from "../state/store.ts";
import { Icon } from "./icons.tsx";

const GRACE_MS = 2000;

export function Notice(): React.ReactNode {
  const lostSince = useStore((state) => state.lostSince);
  const problem = useStore((state) => state.problem);
  const [isLong, setLong] = useState(false);
  useEffect(() => {
    setLong(false);
    if (lostSince === null) return undefined;
    const timer = setTimeout(() => setLong(true), Math.max(0, lostSince + GRACE_MS - Date.now()));
    return () => clearTimeout(timer);
  }, [lostSince]);
  return (
    <div className="notices">
      <p role="status" className="notice" hidden={!isLong}>
        {isLong && "No connection to the server. Nothing is lost; this page keeps trying."}
      </p>
      <div role="alert">
        {problem !== null && (
          <p className="notice problem">
            {problem}
            <button type="button" className="quiet" aria-label="Dismiss" onClick={dismiss}>
              <Icon name="close" />
            </button>
          </p>
        )}
      </div>
    </div>
  );
}

/** What screen readers are told, once each time. */
export function Spoken(): React.ReactNode {
  const said = useStore((state) => state.said);
  return (
    <p role="status" className="spoken">
      {said}
    </p>
  );
}
