/** The list of chats, in its simplest form. */

import { useEffect, useRef, useState } from "react";
import type { Chat } from "../../client/index.ts";
import icon from "../icon.svg";
import { removeTalk } from "../state/acts.ts";
import { forgetDrafts } from "../state/drafts.ts";
import { useChats } from "../state/lists.ts";
import { type Session, signOut } from "../state/session.ts";
import { complain, setState, useStore } from "../state/store.ts";
import { go } from "./App.tsx";
import { Icon } from "./icons.tsx";

interface Props {
  readonly session: Session;
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

export function Sidebar({ session, isOpen, onClose }: Props): React.ReactNode {
  const { data } = useChats();
  const current = useStore((state) => state.talks[state.shown]?.id ?? null);
  const first = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!isOpen) return undefined;
    first.current?.focus();
    const escape = ({ key }: KeyboardEvent): void => void (key === "Escape" && onClose());
    addEventListener("keydown", escape);
    return () => removeEventListener("keydown", escape);
  }, [isOpen, onClose]);
  const leave = async (): Promise<void> => {
    try {
      await signOut();
      forgetDrafts();
      setState({ signedOut: true });
    } catch (error) {
      complain(error);
    }
  };
  // a chat in which nothing was said yet is none to go back to
  const chats = (data?.chats ?? []).filter((chat) => chat.leaf_id !== null || chat.title !== null);
  return (
    <>
      <div className="veil" onClick={onClose} />
      <nav className="sidebar" id="chats" aria-label="Chats">
        <div className="brand">
          <img src={icon} alt="" width="22" height="22" />
          <span>Headrace</span>
        </div>
        <button
          ref={first}
          type="button"
          className="new-chat"
          onClick={() => {
            go(null);
            onClose();
          }}
        >
          <Icon name="plus" /> New chat
        </button>
        <ul>
          {chats.map((chat) => (
            <Entry key={chat.id} chat={chat} isCurrent={chat.id === current} onOpened={onClose} />
          ))}
        </ul>
        {session.access && (
          <p className="who">
            <span>{session.name}</span>
            <button type="button" className="quiet text" onClick={() => void leave()}>
              Sign out
            </button>
          </p>
        )}
      </nav>
    </>
  );
}

function Entry({ chat, isCurrent, onOpened }: { chat: Chat; isCurrent: boolean; onOpened: () => void }): React.ReactNode {
  const [isAsking, setAsking] = useState(false);
  const title = chat.title ?? "Untitled chat";
  if (isAsking) {
    return (
      <li className="asking">
        <span>Delete this chat?</span>
        <button
          type="button"
          className="quiet text danger"
          autoFocus
          onClick={() => {
            if (isCurrent) go(null);
            void removeTalk(chat.id);
          }}
        >
          Delete
        </button>
        <button type="button" className="quiet text" onClick={() => setAsking(false)}>
          Keep
        </button>
      </li>
    );
  }
  return (
    <li>
      <a
        href={`/chat/${chat.id}`}
        aria-current={isCurrent ? "page" : undefined}
        onClick={(event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          go(chat.id);
          onOpened();
        }}
      >
        {title}
      </a>
      <button type="button" className="quiet" aria-label={`Delete chat ${title}`} onClick={() => setAsking(true)}>
        <Icon name="bin" />
      </button>
    </li>
  );
}
