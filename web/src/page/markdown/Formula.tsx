/** A formula as MathML: made as elements, never as HTML. */

import { useEffect, useRef } from "react";
import { useTemml } from "./math.ts";

const MOST_LETTERS = 5000;

interface Props {
  readonly tex: string;
  readonly isBlock: boolean;
  readonly isOpen: boolean;
}

export function Formula({ tex, isBlock, isOpen }: Props): React.ReactNode {
  const place = useRef<HTMLSpanElement>(null);
  const temml = useTemml();
  useEffect(() => {
    const element = place.current;
    if (element === null || temml === null) return;
    element.replaceChildren();
    try {
      if (tex.length > MOST_LETTERS) throw new Error("too long");
      temml.render(tex, element, { displayMode: isBlock, trust: false, throwOnError: true, maxExpand: 200, maxSize: [20, 20] });
    } catch {
      // what is no formula, or not yet, stays as it was written
      element.textContent = tex;
      element.classList.toggle("broken", !isOpen);
    }
  }, [tex, isBlock, isOpen, temml]);
  return <span ref={place} className={isBlock ? "formula block" : "formula"} />;
}
