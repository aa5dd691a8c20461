/** What was written and not sent, kept by the browser for each chat. */

const PREFIX = "headrace-draft-";

/** Return the draft of a chat; null is the chat that there is not yet. */
export function draftOf(chatId: number | null): string {
  try {
    return localStorage.getItem(PREFIX + (chatId ?? "new")) ?? "";
  } catch {
    return ""; // a browser that keeps nothing
  }
}

export function keepDraft(chatId: number | null, text: string): void {
  try {
    if (text === "") localStorage.removeItem(PREFIX + (chatId ?? "new"));
    else localStorage.setItem(PREFIX + (chatId ?? "new"), text);
  } catch {
    // as above, or full: the text is still in the page
  }
}

/** Keep none of them: another person may come to this browser. */
export function forgetDrafts(): void {
  try {
    for (const name of Object.keys(localStorage)) if (name.startsWith(PREFIX)) localStorage.removeItem(name);
  } catch {
    // as above
  }
}
