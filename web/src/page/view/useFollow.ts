/** Keeps the end in sight while the reader is there, and only then. */

import { useCallback, useEffect, useRef, useState } from "react";

const AT_END = 4; // pixels: browsers round
const UP = new Set(["PageUp", "ArrowUp", "Home"]);

interface Follow {
  /** For the element that scrolls. */
  readonly scroller: React.RefObject<HTMLDivElement | null>;
  /** For what grows in it. */
  readonly content: React.RefObject<HTMLDivElement | null>;
  readonly isFollowing: boolean;
  /** Go to the end, and stay there. */
  readonly toEnd: () => void;
}

/** Leaves the end when the reader goes up, by whatever means; comes back when the reader does. */
export function useFollow(): Follow {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const touching = useRef(false);
  const [isFollowing, setFollowing] = useState(true);

  const become = useCallback((now: boolean) => {
    following.current = now;
    setFollowing(now);
  }, []);
  const toEnd = useCallback(() => {
    become(true);
    const element = scroller.current;
    if (element !== null) element.scrollTop = element.scrollHeight;
  }, [become]);

  useEffect(() => {
    const element = scroller.current;
    const inner = content.current;
    if (element === null || inner === null) return;
    let last = element.scrollTop;
    const isAtEnd = (): boolean => element.scrollHeight - element.scrollTop - element.clientHeight <= AT_END;
    const leave = (): void => {
      if (element.scrollHeight > element.clientHeight) become(false);
    };
    const wheel = ({ deltaY }: WheelEvent): void => {
      if (deltaY < 0) leave();
    };
    const key = ({ key: name, target }: KeyboardEvent): void => {
      if (UP.has(name) && !(target instanceof HTMLTextAreaElement)) leave();
    };
    // the scrollbar belongs to the element itself
    const press = ({ target }: PointerEvent): void => {
      if (target === element) leave();
    };
    const touch = (): void => {
      touching.current = true;
    };
    const lift = (): void => {
      touching.current = false;
    };
    const scrolled = (): void => {
      const up = element.scrollTop < last - 1;
      last = element.scrollTop;
      if (isAtEnd()) {
        if (!following.current && !up) become(true);
      } else if (up && touching.current) leave();
    };
    const grown = new ResizeObserver(() => {
      if (following.current && !touching.current) element.scrollTop = element.scrollHeight;
    });
    grown.observe(inner);
    grown.observe(element);
    element.addEventListener("wheel", wheel, { passive: true });
    element.addEventListener("keydown", key);
    element.addEventListener("pointerdown", press);
    element.addEventListener("touchstart", touch, { passive: true });
    element.addEventListener("touchend", lift);
    element.addEventListener("touchcancel", lift);
    element.addEventListener("scroll", scrolled, { passive: true });
    return () => {
      grown.disconnect();
      element.removeEventListener("wheel", wheel);
      element.removeEventListener("keydown", key);
      element.removeEventListener("pointerdown", press);
      element.removeEventListener("touchstart", touch);
      element.removeEventListener("touchend", lift);
      element.removeEventListener("touchcancel", lift);
      element.removeEventListener("scroll", scrolled);
    };
  }, [become]);
  return { scroller, content, isFollowing, toEnd };
}
