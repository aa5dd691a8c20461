/**
 * A diagram, drawn where it can do no harm: in a frame without an origin, which hands up a picture.
 *
 * The page shows it as an image: nothing in it runs, and nothing in it is fetched.
 */

import { useEffect, useId, useRef, useState } from "react";

const PATIENCE_MS = 15_000;

interface Said {
  readonly diagram: string;
  readonly svg?: string;
  readonly problem?: string;
}

export function Diagram({ code }: { readonly code: string }): React.ReactNode {
  const id = useId();
  const frame = useRef<HTMLIFrameElement>(null);
  const [drawn, setDrawn] = useState<Said | null>(null);
  useEffect(() => {
    const hear = ({ source, data }: MessageEvent<Said>): void => {
      const target = frame.current?.contentWindow;
      if (target == null || source !== target) return;
      const dark = matchMedia("(prefers-color-scheme: dark)").matches;
      if (data.diagram === "ready") target.postMessage({ id, code, dark }, "*");
      else if (data.diagram === id) setDrawn(data);
    };
    addEventListener("message", hear);
    const timer = setTimeout(() => setDrawn((known) => known ?? { diagram: id, problem: "It took too long." }), PATIENCE_MS);
    return () => {
      removeEventListener("message", hear);
      clearTimeout(timer);
    };
  }, [code, id]);
  if (drawn?.svg !== undefined) {
    const size = /viewBox="[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)"/.exec(drawn.svg);
    return (
      <img
        className="diagram"
        src={`data:image/svg+xml;charset=utf-8,${encodeURIComponent(drawn.svg)}`}
        alt="Diagram of the code below its button"
        {...(size?.[1] ? { width: Math.ceil(Number(size[1])) } : {})}
      />
    );
  }
  return (
    <>
      <iframe ref={frame} className="drawing" src="/page/diagram.html" sandbox="allow-scripts" title="Diagram in the making" />
      <p role="status">{drawn?.problem === undefined ? "Drawing…" : `This is no diagram that can be drawn. ${drawn.problem}`}</p>
    </>
  );
}
