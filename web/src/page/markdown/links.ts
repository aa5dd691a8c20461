/** Where what a model writes may lead: nowhere by itself, and to the web by a click. */

const LINKS = new Set(["http:", "https:", "mailto:"]);
const PICTURES = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}$/;

/** Return the address that a link may have, or null. Relative ones would lead into this server. */
export function linkTo(address: string | undefined): string | null {
  try {
    const url = new URL(address ?? "");
    return LINKS.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/** Return the picture that lies in the text itself, or null: what would be fetched is not shown. */
export function pictureIn(address: string | undefined): string | null {
  return address !== undefined && PICTURES.test(address) ? address : null;
}
