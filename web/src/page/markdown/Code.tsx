/** A block of code: plain while it grows, coloured once it is whole. */

import { memo, useEffect, useRef, useState } from "react";
import { CopyButton } from "../view/CopyButton.tsx";
import { Diagram } from "./Diagram.tsx";
import { Pieces } from "./pieces.ts";

const MOST_COLOURED = 60_000; // letters; more takes the browser longer than a reader waits

interface Props {
  readonly code: string;
  readonly language: string;
  readonly isOpen: boolean;
}

export const Code = memo(function Code({ code, language, isOpen }: Props) {
  const [isDrawn, setDrawn] = useState(false);
  const canDraw = language === "mermaid" && !isOpen;
  return (
    <figure className="code">
      <figcaption>
        <span>{language || "text"}</span>
        {canDraw && (
          <button type="button" className="quiet" onClick={() => setDrawn(!isDrawn)}>
            {isDrawn ? "Show text" : "Show diagram"}
          </button>
        )}
        <CopyButton text={code} what="code" />
      </figcaption>
      {canDraw && isDrawn ? (
        <Diagram code={code} />
      ) : (
        <pre tabIndex={0} aria-label={language ? `Code, ${language}` : "Code"}>
          <code>{isOpen || language === "" || code.length > MOST_COLOURED ? <Plain code={code} /> : <Coloured code={code} language={language} />}</code>
        </pre>
      )}
    </figure>
  );
});

function Plain({ code }: { readonly code: string }): React.ReactNode {
  const pieces = useRef<Pieces | null>(null);
  pieces.current ??= new Pieces();
  return pieces.current.update(code).map((piece, index) => <Piece key={index} text={piece} />);
}

const Piece = memo(({ text }: { readonly text: string }) => <span className="piece">{text}</span>);
Piece.displayName = "Piece";

function Coloured({ code, language }: Omit<Props, "isOpen">): React.ReactNode {
  const [coloured, setColoured] = useState<React.ReactNode>(null);
  useEffect(() => {
    let isHere = true;
    void import("./colours.tsx").then(({ colour }) => {
      if (isHere) setColoured(colour(code, language));
    });
    return () => {
      isHere = false;
    };
  }, [code, language]);
  return coloured ?? <Plain code={code} />;
}
