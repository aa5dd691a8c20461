/** One chat: what was said, and where the next thing is. */

import { useMemo } from "react";
import { useStore } from "../state/store.ts";
import { pathOf, siblingsOf } from "../state/tree.ts";
import type { Key } from "../state/words.ts";
import { Answer } from "./Answer.tsx";
import { Composer } from "./Composer.tsx";
import { Icon } from "./icons.tsx";
import { Said } from "./Said.tsx";
import { useFollow } from "./useFollow.ts";

interface Props {
  readonly talkKey: Key;
  readonly isMenuOpen: boolean;
  readonly onMenu: () => void;
}

export function Conversation({ talkKey, isMenuOpen, onMenu }: Props): React.ReactNode {
  const title = useStore((store) => {
    const talk = store.talks[talkKey];
    return talk?.title ?? (talk === undefined || talk.id === null ? "New chat" : "Untitled chat");
  });
  const state = useStore((store) => store.talks[talkKey]?.state ?? "loading");
  const { scroller, content, isFollowing, toEnd } = useFollow();
  return (
    <main className="conversation" inert={isMenuOpen}>
      <header>
        <button type="button" className="quiet menu" aria-label="Chats" aria-expanded={isMenuOpen} aria-controls="chats" onClick={onMenu}>
          <Icon name="menu" />
        </button>
        <h1>{title}</h1>
      </header>
      <div className="scroller" ref={scroller} tabIndex={0} role="log" aria-live="off" aria-label="Conversation">
        <div className="column" ref={content}>
          {state === "ready" && <Messages talkKey={talkKey} />}
          {state === "missing" && <p className="aside">There is no such chat. It may have been deleted.</p>}
          {state === "unreachable" && <p className="aside">The server does not answer. This page keeps trying.</p>}
        </div>
      </div>
      <div className="foot">
        {!isFollowing && (
          <button type="button" className="to-end" onClick={toEnd}>
            <Icon name="down" /> Latest
          </button>
        )}
        {state !== "missing" && <Composer talkKey={talkKey} onSent={toEnd} />}
      </div>
    </main>
  );
}

function Messages({ talkKey }: { readonly talkKey: Key }): React.ReactNode {
  const nodes = useStore((state) => state.talks[talkKey]?.nodes);
  const leaf = useStore((state) => state.talks[talkKey]?.leaf ?? null);
  const shape = useMemo(
    () =>
      pathOf({ nodes: nodes ?? {}, leaf })
        .filter(({ role }) => role === "user" || role === "assistant")
        .map(({ key, role }) => ({ key, role, siblings: siblingsOf(nodes ?? {}, key).map((each) => each.key) })),
    [nodes, leaf],
  );
  if (shape.length === 0) return <p className="welcome">What would you like to know?</p>;
  return shape.map(({ key, role, siblings }, index) =>
    role === "user" ? (
      <Said key={key} talkKey={talkKey} nodeKey={key} siblings={siblings.join(" ")} />
    ) : (
      <Answer key={key} talkKey={talkKey} nodeKey={key} siblings={siblings.join(" ")} isLast={index === shape.length - 1} />
    ),
  );
}
