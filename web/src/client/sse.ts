/**
 * Server-sent events: bytes to frames, however the bytes are cut.
 *
 * Source: WHATWG HTML, 9.2.6. LF, CR and CRLF end a line and nothing else does, one leading BOM is dropped, comments
 * and unknown fields are ignored, the last id stays until the next one, what the end leaves unfinished is discarded.
 */

/** One dispatched event. `id` is the last one seen on the stream, empty while there was none. */
export interface Frame {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

const BOM = "\uFEFF";

/** The frames of one stream, fed its bytes in pieces of any size. */
export class SseDecoder {
  // the BOM is ours: a decoder's own handling differs between engines when the first bytes are cut
  readonly #utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  #atStart = true;
  #afterCr = false; // an LF now belongs to the line end before it
  #line: string[] = [];
  #data: string[] = [];
  #event = "";
  #id = "";

  /** Return the frames that these bytes complete, in order. Bytes that are no UTF-8 become U+FFFD. */
  feed(bytes: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    let text = this.#utf8.decode(bytes, { stream: true });
    if (this.#atStart && text !== "") {
      this.#atStart = false;
      if (text.startsWith(BOM)) text = text.slice(1);
    }
    if (text === "") return frames;
    if (this.#afterCr && text.startsWith("\n")) text = text.slice(1);
    if (text === "") {
      this.#afterCr = false;
      return frames;
    }
    this.#afterCr = text.endsWith("\r");
    const lines = text.split(/\r\n|\r|\n/);
    const rest = lines.pop() ?? "";
    for (const line of lines) {
      this.#line.push(line);
      this.#take(this.#line.join(""), frames);
      this.#line = [];
    }
    if (rest !== "") this.#line.push(rest);
    return frames;
  }

  #take(line: string, frames: Frame[]): void {
    if (line === "") {
      if (this.#data.length > 0) {
        frames.push({ id: this.#id, event: this.#event || "message", data: this.#data.join("\n") });
      }
      this.#data = [];
      this.#event = "";
      return;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
  }
}
