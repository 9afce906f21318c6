import createFetch, { type Client as FetchClient } from "openapi-fetch";
import type { components, paths } from "./schema.js";

/** The types of the API: `Schemas["Holding"]` is a holding. */
export type Schemas = components["schemas"];

/** What the broker answers to a call that fails (RFC 9457). */
export type Problem = Schemas["Problem"];

/** A client of openapi-fetch: `client.GET("/v1/portfolios", {…})`. */
export type Client = FetchClient<paths>;

/** An answer that reports an error. Act on `code`, which is stable. */
export class BrokerError extends Error {
  override readonly name = "BrokerError";
  readonly status: number;
  readonly code: string;
  /** The whole problem, unless the answer is not the broker's but that of a proxy in between. */
  readonly problem: Problem | undefined;
  /** How many seconds to wait before another try, if the broker says so. */
  readonly retryAfter: number | undefined;

  constructor(response: Response, problem: Problem | undefined) {
    super(problem?.detail ?? `The broker answered ${response.status}.`);
    this.status = response.status;
    this.code = problem?.code ?? "";
    this.problem = problem;
    this.retryAfter = Number(response.headers.get("Retry-After")) || undefined;
  }
}

/**
 * Returns a client of the broker at baseUrl. A token is a service key, the JWT of a service or a user's JWT; a function
 * is asked for each call, so that it can renew the token.
 */
export function createClient(baseUrl: string, token: string | (() => string | Promise<string>)): Client {
  const client = createFetch<paths>({ baseUrl, bodySerializer });
  client.use({
    async onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${typeof token === "string" ? token : await token()}`);
      return request;
    },
  });
  return client;
}

/** Returns what a call answered: `unwrap(await client.GET(…))`. Throws a BrokerError for an error. */
export function unwrap<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.response.ok) return answer.data as T;
  throw new BrokerError(answer.response, isProblem(answer.error) ? answer.error : undefined);
}

function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "code" in value && "request_id" in value;
}

/** Makes a form of a body with a file, and JSON of every other one. */
function bodySerializer(body: unknown): FormData | string {
  const fields = Object.entries(body ?? {});
  if (!fields.some(([, value]) => value instanceof Blob)) return JSON.stringify(body);
  const form = new FormData();
  for (const [name, value] of fields) {
    if (value !== undefined) form.append(name, value);
  }
  return form;
}
