/** What the user said. Editing it says it differently beside it: nothing is overwritten. */

import { memo, useState } from "react";
import { textOf } from "../../client/index.ts";
import { pictureIn } from "../markdown/links.ts";
import { send } from "../state/acts.ts";
import { useStore } from "../state/store.ts";
import type { Key } from "../state/words.ts";
import { CopyButton } from "./CopyButton.tsx";
import { Icon } from "./icons.tsx";
import { Branches, Delete } from "./Tools.tsx";

interface Props {
  readonly talkKey: Key;
  readonly nodeKey: Key;
  readonly siblings: string;
}

export const Said = memo(function Said({ talkKey, nodeKey, siblings }: Props) {
  const node = useStore((state) => state.talks[talkKey]?.nodes[nodeKey]);
  const [isEdited, setEdited] = useState(false);
  if (node === undefined) return null;
  const text = textOf(node.parts);
  return (
    <article className="said" aria-label="You said">
      {isEdited ? (
        <Editor
          text={text}
          onKeep={() => setEdited(false)}
          onSend={(changed) => {
            setEdited(false);
            send(talkKey, changed, { parent: node.parent });
          }}
        />
      ) : (
        <>
          {node.parts.map((part, index) =>
            part.type === "image" ? (
              <img key={index} alt="Picture of yours" src={pictureIn(`data:${part.media_type};base64,${part.data}`) ?? ""} />
            ) : null,
          )}
          <p>{text}</p>
          <div className="tools">
            <Branches talkKey={talkKey} own={nodeKey} siblings={siblings} />
            <CopyButton text={() => text} what="message" />
            <button type="button" className="quiet" aria-label="Edit" title="Edit" onClick={() => setEdited(true)}>
              <Icon name="edit" />
            </button>
            <Delete talkKey={talkKey} own={nodeKey} />
          </div>
        </>
      )}
    </article>
  );
});

function Editor({ text, onKeep, onSend }: { text: string; onKeep: () => void; onSend: (text: string) => void }): React.ReactNode {
  const [changed, setChanged] = useState(text);
  return (
    <form
      className="editor"
      onSubmit={(event) => {
        event.preventDefault();
        if (changed.trim() !== "") onSend(changed);
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") onKeep();
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.currentTarget.requestSubmit();
      }}
    >
      <textarea
        aria-label="Your message, edited"
        autoFocus
        rows={Math.min(12, changed.split("\n").length + 1)}
        value={changed}
        onChange={(event) => setChanged(event.target.value)}
      />
      <div className="tools always">
        <button type="submit" className="primary small">
          Send
        </button>
        <button type="button" className="quiet text" onClick={onKeep}>
          Cancel
        </button>
      </div>
    </form>
  );
}
