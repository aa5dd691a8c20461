/** A server by script, for tests: what it answers is given request by request, and how its bytes are cut. */

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: any;
}

export interface Given {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly pieces?: readonly (string | Uint8Array)[];
  /** What happens after the pieces: the body ends, breaks, or stays open until the client leaves. */
  readonly then?: "end" | "drop" | "hold";
}

/** What fetch gives; "refuse": no connection can be made; a function decides when it is asked. */
export type Answering = Given | "refuse" | ((asked: Asked) => Given);

export class FakeServer {
  readonly asked: Asked[] = [];
  left = 0;
  readonly #answers: Answering[] = [];

  /** Answer the next requests so, in this order; the last answer of all is given again and again. */
  answer(...answers: Answering[]): this {
    this.#answers.push(...answers);
    return this;
  }

  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const request = { method: init?.method ?? "GET", path: String(input), headers: new Headers(init?.headers) };
    const asked = { ...request, body: typeof init?.body === "string" ? JSON.parse(init.body) : null };
    this.asked.push(asked);
    const next = this.#answers.length > 1 ? this.#answers.shift() : this.#answers[0];
    init?.signal?.throwIfAborted();
    if (next === undefined || next === "refuse") throw new TypeError("fetch failed");
    const given = typeof next === "function" ? next(asked) : next;
    const { status = 200, headers = { "content-type": "text/event-stream" } } = given;
    return new Response(status === 204 ? null : this.#body(given, init?.signal ?? null), { status, headers });
  };

  #body({ pieces = [], then = "end" }: Given, signal: AbortSignal | null): ReadableStream<Uint8Array> {
    const queue = pieces.map((piece) => (typeof piece === "string" ? bytesOf(piece) : piece));
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          signal?.addEventListener("abort", () => {
            this.left += 1;
            try {
              controller.error(signal.reason);
            } catch {
              // it has ended
            }
          });
        },
        pull: (controller) => {
          const piece = queue.shift();
          if (piece !== undefined) controller.enqueue(piece);
          else if (then === "end") controller.close();
          else if (then === "drop") controller.error(new TypeError("terminated"));
          else return new Promise(() => undefined);
          return undefined;
        },
      },
      { highWaterMark: 0 },
    );
  }
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function json(value: unknown, status = 200, headers: Record<string, string> = {}): Given {
  return { status, headers: { "content-type": "application/json", ...headers }, pieces: [JSON.stringify(value)] };
}

export function refused(status: number, code: string, message: string, headers: Record<string, string> = {}): Given {
  return json({ error: { code, message } }, status, headers);
}

/** Every way of cutting once, and into single bytes. */
export function* cuts(bytes: Uint8Array): Generator<Uint8Array[]> {
  for (let at = 0; at <= bytes.length; at += 1) yield [bytes.subarray(0, at), bytes.subarray(at)];
  yield singles(bytes);
}

export function singles(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
}

/** A run in four scripts and with emoji of every kind: skin tones, joined, flags, keycaps; and what is easily mangled. */
export const SCRIPTS = ["Zürich — naïve ", "Привет, мир ", "你好，日本語 ", "مرحبا بالعالم ", "नमस्ते दुनिया "];
export const EMOJI = ["👍🏽", "👩‍👩‍👧‍👦", "🇨🇭", "7️⃣", "🚆"];
export const MANGLED = ["\u2028", "\u2029", "\u0085", "\uFEFF", "\r\n", "\0", 'data: "x"\n\n', "e\u0301"];

export function frame(seq: number, event: Record<string, unknown>): string {
  return `id: ${seq}\nevent: ${String(event["type"])}\ndata: ${JSON.stringify({ t: seq, ...event })}\n\n`;
}

/** The frames of a run whose text these pieces are. */
export function runOf(deltas: readonly string[]): string[] {
  const events = [
    { type: "run.started", run_id: "run_1", chat_id: 1 },
    ...deltas.map((delta) => ({ type: "text", delta })),
    { type: "run.finished", reason: "stop" },
  ];
  return events.map((event, seq) => frame(seq, event));
}
