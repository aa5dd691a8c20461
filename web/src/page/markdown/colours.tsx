/** Colours code: fetched with the first code that is whole. */

import { Fragment } from "react";
import { createLowlight } from "lowlight";
import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import cpp from "highlight.js/lib/languages/cpp";
import csharp from "highlight.js/lib/languages/csharp";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import go from "highlight.js/lib/languages/go";
import ini from "highlight.js/lib/languages/ini";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import kotlin from "highlight.js/lib/languages/kotlin";
import lua from "highlight.js/lib/languages/lua";
import makefile from "highlight.js/lib/languages/makefile";
import php from "highlight.js/lib/languages/php";
import python from "highlight.js/lib/languages/python";
import r from "highlight.js/lib/languages/r";
import ruby from "highlight.js/lib/languages/ruby";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import swift from "highlight.js/lib/languages/swift";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";

const lowlight = createLowlight({
  bash, c, cpp, csharp, css, diff, go, ini, java, javascript, json, kotlin, lua, makefile, php, python, r, ruby, rust,
  sql, swift, typescript, xml, yaml,
});

type Tree = ReturnType<typeof lowlight.highlight>;
type Child = Tree["children"][number];

/** Return code as coloured elements; plain where the language is not known. */
export function colour(code: string, language: string): React.ReactNode {
  if (!lowlight.registered(language)) return code;
  return elements(lowlight.highlight(language, code).children);
}

function elements(children: readonly Child[]): React.ReactNode {
  return children.map((child, index) => {
    if (child.type === "text") return child.value;
    if (child.type !== "element") return null;
    const names = child.properties["className"];
    const inside = elements(child.children as Child[]);
    return Array.isArray(names) ? (
      <span key={index} className={names.join(" ")}>
        {inside}
      </span>
    ) : (
      <Fragment key={index}>{inside}</Fragment>
    );
  });
}
