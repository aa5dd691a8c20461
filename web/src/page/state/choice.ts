/** Which model the user chose last, kept by the browser. */

const NAME = "headrace-model";

/** Return the model to ask; null lets the server choose. */
export function chosenModel(): string | null {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return null;
  }
}

export function chooseModel(model: string | null): void {
  try {
    if (model === null) localStorage.removeItem(NAME);
    else localStorage.setItem(NAME, model);
  } catch {
    // a browser that keeps nothing: it holds while the page is open
  }
}
