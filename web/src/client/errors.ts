/** What can go wrong between a client and its server. An abort is none of it: that rejects with the signal's reason. */

/** The server refused, or the way to it broke. `code` is stable, `message` is for people. */
export class ClientError extends Error {
  override readonly name: string = "ClientError";
  readonly code: string;
  readonly retryable: boolean;

  constructor(message: string, options: { code: string; retryable?: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.code = options.code;
    this.retryable = options.retryable ?? false;
  }
}

/** The server answered with an error: `code`, `message` and `details` are its own. */
export class ApiError extends ClientError {
  override readonly name = "ApiError";
  readonly status: number;
  readonly details: Readonly<Record<string, unknown>>;
  /** Seconds after which to ask again, where the server says it. */
  readonly retryAfterS: number | null;
  /** Whether the server itself said it; otherwise something in between did, as a proxy. */
  readonly own: boolean;

  constructor(status: number, said: Said | null, retryAfterS: number | null) {
    super(said?.message ?? `The server answered ${status}.`, {
      code: said?.code ?? "http_error",
      retryable: status === 429 || status >= 500,
    });
    this.status = status;
    this.details = said?.details ?? {};
    this.retryAfterS = retryAfterS;
    this.own = said !== null;
  }
}

interface Said {
  readonly code: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Return the error of a reply whose status is not a good one. Reads its body. */
export async function refusal(reply: Response): Promise<ApiError> {
  const seconds = reply.headers.get("retry-after") ?? "";
  const retryAfterS = /^\d{1,9}$/.test(seconds) ? Number(seconds) : null;
  let body: unknown = null;
  try {
    body = await reply.json();
  } catch {
    // not the server's, or cut: the status says it
  }
  return new ApiError(reply.status, saidIn(body), retryAfterS);
}

function saidIn(body: unknown): Said | null {
  if (!isObject(body)) return null;
  const error = body["error"];
  if (!isObject(error) || typeof error["code"] !== "string" || typeof error["message"] !== "string") return null;
  const details = error["details"];
  return { code: error["code"], message: error["message"], ...(isObject(details) ? { details } : {}) };
}

/** Return whether this is what JSON calls an object. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
