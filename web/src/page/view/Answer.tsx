/** An answer: its thoughts, its text, what goes on with it, and how it ended. */

import { memo } from "react";
import { textOf } from "../../client/index.ts";
import { pictureIn } from "../markdown/links.ts";
import { Markdown } from "../markdown/Markdown.tsx";
import { goOn, regenerate } from "../state/acts.ts";
import { grouped, type Shown } from "../state/grouped.ts";
import { useModels, useStreamed } from "../state/lists.ts";
import { useStore } from "../state/store.ts";
import type { Key, Node } from "../state/words.ts";
import { CopyButton } from "./CopyButton.tsx";
import { Figures } from "./Figures.tsx";
import { Icon } from "./icons.tsx";
import { PhaseLine, shareOf } from "./PhaseLine.tsx";
import { Corrections, Sources } from "./Sources.tsx";
import { Thoughts } from "./Thoughts.tsx";
import { Branches, Delete } from "./Tools.tsx";

interface Props {
  readonly talkKey: Key;
  readonly nodeKey: Key;
  readonly siblings: string;
  readonly isLast: boolean;
}

export const Answer = memo(function Answer({ talkKey, nodeKey, siblings, isLast }: Props) {
  const node = useStore((state) => state.talks[talkKey]?.nodes[nodeKey]);
  const isStreamed = useStreamed();
  const models = useModels();
  if (node === undefined) return null;
  const { live, status } = node;
  const isShown = live === null || isStreamed;
  const parts = isShown ? grouped(node.parts) : [];
  const model = models.find(({ id }) => id === node.model);
  const share = live === null ? null : shareOf(live);
  return (
    <article
      className={`answer ${status}${live === null ? "" : " live"}`}
      aria-label={`Answer${node.model === null ? "" : `, ${node.model}`}`}
      aria-busy={live !== null}
    >
      <div className="race" aria-hidden="true">
        {share !== null && <progress className="filled" max={1} value={share} />}
      </div>
      {parts.map((part, index) => (
        <PartView key={index} part={part} isLive={live !== null && index === parts.length - 1} />
      ))}
      {live !== null && <PhaseLine live={live} isQuiet={isShown && live.phase.kind === "writing"} />}
      <Sources sources={node.sources} />
      <Corrections corrections={node.corrections} />
      <Ending node={node} onRetry={() => regenerate(talkKey, nodeKey)} onContinue={() => void goOn(talkKey, nodeKey)} />
      <footer>
        <Figures node={node} context={model?.context_length ?? null} />
        {live === null && (
          <div className={isLast ? "tools always" : "tools"}>
            <Branches talkKey={talkKey} own={nodeKey} siblings={siblings} />
            <CopyButton text={() => textOf(node.parts)} what="answer" />
            <button
              type="button"
              className="quiet"
              aria-label="Regenerate"
              title="Regenerate"
              onClick={() => regenerate(talkKey, nodeKey)}
            >
              <Icon name="again" />
            </button>
            <Delete talkKey={talkKey} own={nodeKey} />
          </div>
        )}
      </footer>
    </article>
  );
});

function PartView({ part, isLive }: { readonly part: Shown; readonly isLive: boolean }): React.ReactNode {
  switch (part.type) {
    case "text":
      return <Markdown text={part.text} isLive={isLive} />;
    case "reasoning":
      return <Thoughts text={part.text} isLive={isLive} />;
    case "image": {
      const picture = pictureIn(`data:${part.media_type};base64,${part.data}`);
      return picture === null ? null : <img className="picture" src={picture} alt="Picture made by the model" />;
    }
    case "tool_call":
      return (
        <p className="tool">
          Calls <code>{part.name}</code> <code>{part.arguments}</code>
        </p>
      );
    case "tool_result":
      return <p className="tool">{part.text}</p>;
  }
}

interface EndingProps {
  readonly node: Node;
  readonly onRetry: () => void;
  readonly onContinue: () => void;
}

/** How an answer ended that is not whole, and what to do about it. */
function Ending({ node, onRetry, onContinue }: EndingProps): React.ReactNode {
  if (node.live !== null) return null;
  const said = endingOf(node);
  if (said === null) return null;
  const canContinue = node.id !== null && node.parts.some(({ type }) => type === "text");
  return (
    <div className="ending">
      <p>{said}</p>
      {canContinue && (
        <button type="button" className="plain" onClick={onContinue}>
          <Icon name="more" /> Continue
        </button>
      )}
      {(node.status === "failed" || !canContinue) && (
        <button type="button" className="plain" onClick={onRetry}>
          <Icon name="again" /> Retry
        </button>
      )}
    </div>
  );
}

function endingOf({ status, error, finish, parts }: Node): string | null {
  switch (status) {
    case "failed":
      return error?.message ?? "The answer failed.";
    case "interrupted":
      return "The server went down in the middle of this answer. What it had made is here.";
    case "stopped":
      return parts.length === 0 ? "Stopped before the first word." : "Stopped.";
    default:
      return finish === "length" ? "The answer reached its length limit." : null;
  }
}
