/** The page's beginning: asks for what is shown first, and fetches what shows it. */

import { askEarly } from "./early.ts";
import "./styles/tokens.css";
import "./styles/page.css";
import "./styles/talk.css";
import "./styles/prose.css";

askEarly(location);
void import("./app.tsx").then(({ draw }) => draw());
