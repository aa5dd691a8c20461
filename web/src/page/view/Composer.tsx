/** Where the user writes. Stop stands where Send stood. */

import { useEffect, useRef, useState } from "react";
import { send, stop } from "../state/acts.ts";
import { draftOf, keepDraft } from "../state/drafts.ts";
import { useModels } from "../state/lists.ts";
import { useStore } from "../state/store.ts";
import type { Key } from "../state/words.ts";
import { Icon } from "./icons.tsx";
import { chosenModel, chooseModel } from "../state/choice.ts";

interface Props {
  readonly talkKey: Key;
  readonly onSent: () => void;
}

export function Composer({ talkKey, onSent }: Props): React.ReactNode {
  const chatId = useStore((state) => state.talks[talkKey]?.id ?? null);
  const making = useStore((state) => {
    const talk = state.talks[talkKey];
    const node = talk?.leaf == null ? undefined : talk.nodes[talk.leaf];
    return node?.live == null ? null : node.key;
  });
  const [text, setText] = useState(() => draftOf(chatId));
  const [model, setModel] = useState(chosenModel);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    const element = field.current;
    if (element === null) return;
    element.style.height = "auto";
    element.style.height = `${Math.min(element.scrollHeight, window.innerHeight * 0.4)}px`;
  }, [text]);
  useEffect(() => {
    if (matchMedia("(hover: hover)").matches) field.current?.focus();
  }, []);
  const write = (value: string): void => {
    setText(value);
    keepDraft(chatId, value);
  };
  const submit = (): void => {
    if (text.trim() === "" || making !== null) return;
    send(talkKey, text);
    write("");
    onSent();
    field.current?.focus();
  };
  const halt = (): void => {
    if (making !== null) void stop(talkKey, making);
    field.current?.focus();
  };
  const key = (event: React.KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape" && making !== null) {
      event.preventDefault();
      halt();
    }
  };
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <textarea
        ref={field}
        aria-label="Message"
        placeholder="Message"
        rows={1}
        value={text}
        enterKeyHint="send"
        onChange={(event) => write(event.target.value)}
        onKeyDown={key}
      />
      <div className="bar">
        <ModelPicker
          model={model}
          onChosen={(chosen) => {
            chooseModel(chosen);
            setModel(chosen);
          }}
        />
        {making === null ? (
          <button type="submit" className="act" aria-label="Send" title="Send" disabled={text.trim() === ""}>
            <Icon name="send" />
          </button>
        ) : (
          <button type="button" className="act" aria-label="Stop" title="Stop (Escape)" onClick={halt}>
            <Icon name="stop" />
          </button>
        )}
      </div>
    </form>
  );
}

function ModelPicker({ model, onChosen }: { model: string | null; onChosen: (model: string | null) => void }): React.ReactNode {
  const models = useModels();
  const isListed = model === null || models.some(({ id }) => id === model);
  return (
    <select className="models" aria-label="Model" value={model ?? ""} onChange={(event) => onChosen(event.target.value || null)}>
      <option value="">Auto</option>
      {!isListed && <option value={model ?? ""}>{model}</option>}
      {models.map(({ id, state }) => (
        <option key={id} value={id} disabled={state === "off"}>
          {state === "up" ? id : `${id} (${state})`}
        </option>
      ))}
    </select>
  );
}
