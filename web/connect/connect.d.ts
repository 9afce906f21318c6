/**
 * connect.js imports a statement on a page: it gets an access token from the broker, opens the
 * vendor's widget with it, and saves the result.
 *
 *     import { createConnect } from "https://broker.example/connect.js";
 *     const connect = createConnect({ getUserToken });
 *     const result = await connect.open({ config: { enableCdslFetch: true } });
 *
 * It may be imported anywhere, also on a server; open() needs a page.
 */

/** Settings of the widget, as the vendor documents them. Others are passed on, too. */
export interface WidgetConfig {
  title?: string;
  subtitle?: string;
  logoUrl?: string;
  theme?: unknown;
  allowedTypes?: ('CDSL' | 'NSDL' | 'CAMS_KFINTECH')[];
  prefill?: { pan?: string; email?: string; phone?: string; boId?: string; dob?: string };
  enableGenerator?: boolean;
  enableCdslFetch?: boolean;
  enableInbox?: boolean;
  enableInboundEmail?: boolean;
  generator?: { fromDate?: string; toDate?: string; password?: string };
  inbox?: { redirectUri?: string; casTypes?: string[]; startDate?: string; endDate?: string };
  inboundEmail?: {
    callbackUrl?: string;
    existingId?: string;
    email?: string;
    allowedSources?: string[];
    reference?: string;
    metadata?: Record<string, string>;
    pollIntervalMs?: number;
    sessionTimeoutMs?: number;
  };
  successBehavior?: 'summary' | 'close';
  [other: string]: unknown;
}

export interface ConnectOptions {
  /** Where the broker is: "https://broker.example". The default is the origin that connect.js was loaded from; a bundle must name it. */
  brokerUrl?: string;
  /**
   * Returns the JWT of the signed-in user, which is sent as `Authorization: Bearer`. `fresh` is true after a 401: do not return the
   * same again. Without it, requests have the browser's cookies.
   */
  getUserToken?: (o: { fresh: boolean }) => string | null | undefined | Promise<string | null | undefined>;
  /** Any constant id of the signed-in user, which is sent nowhere. Needed only if the user can change while the page is open and
   * is not told by the `sub` of getUserToken's JWT. */
  user?: string;
  /** The app's own routes, if pages do not call the broker's: the default is brokerUrl + "/v1/token" and "/v1/portfolios". */
  tokenUrl?: string;
  saveUrl?: string;
  /** Sent to tokenUrl. `mode` matters if the broker hands out tokens of both. */
  token?: { mode?: 'gateway' | 'direct'; features?: string[]; expiry_minutes?: number };
  /** The language of errors; English by default. */
  language?: 'en' | 'hi';
  /** Replaces texts: `{ network: { title: "Offline" } }`. */
  texts?: Partial<Texts>;
  /** The widget's script. The default is what the broker says: GET brokerUrl + "/connect/widget.json". */
  widget?: {
    url?: string;
    integrity?: string;
    /** For a Content-Security-Policy with nonces. */
    nonce?: string;
    /** How long the script may take to load; 15000. */
    timeoutMs?: number;
    /** The vendor's API for direct tokens, if not the vendor's own; for tests. */
    apiBaseUrl?: string;
  };
  /** Keeps the result of a save that failed, sealed, for resume(). */
  keepUnsaved?: boolean | 'session';
  /** Has uploads parsed by POST /v1/statements of the broker, which saves them itself. */
  upload?: 'broker';
}

export interface OpenOptions {
  config?: WidgetConfig;
  /** Closes the widget. A statement that was parsed before is saved all the same. */
  signal?: AbortSignal;
  /** As the widget documents them. */
  onOpen?: () => void;
  onEvent?: (event: string, metadata?: Record<string, unknown>) => void;
  onSubmit?: (input: any, password: string, onProgress?: (percent: number) => void) => Promise<unknown>;
}

/** The answer of POST /v1/portfolios; openapi.yaml has all of it. */
export interface Portfolio {
  id: string;
  created?: boolean;
  active: boolean;
  provenance: 'verified' | 'reported';
  cas_type: 'CDSL' | 'NSDL' | 'CAMS_KFINTECH';
  period: { from: string; to: string } | null;
  /** Decimal. */
  total_value: string;
  owner: number;
  warnings: { code: string; pointer: string; detail: string }[];
  [other: string]: any;
}

export type Result =
  | { status: 'saved'; portfolio: Portfolio }
  | { status: 'closed' }
  | { status: 'error'; error: ConnectError };

/**
 * What went wrong. Those listed have texts of their own; any other is a code of the broker (openapi.yaml) and has the texts of its
 * status, with the broker's `detail` as the message in English.
 */
export type Code =
  | 'network' | 'widget_not_loaded' | 'unauthenticated' | 'access_ended' | 'subject_blocked' | 'forbidden' | 'other_user'
  | 'rate_limited' | 'out_of_credits' | 'unavailable' | 'invalid_password' | 'unreadable_statement' | 'generator_failed'
  | 'cdsl_fetch_failed' | 'inbox_failed' | 'inbound_email_failed' | 'too_large' | 'invalid_statement' | 'other_owner'
  | 'quota_exceeded' | 'unknown';

export interface Text {
  title: string;
  message: string;
  remediation: string;
}

export type Texts = { [code in Code]: Partial<Text> } & { [code: string]: Partial<Text> | string | undefined } & {
  /** The widget's subtitle when it is opened again with a new access token. */
  reopened: string;
};

export class ConnectError extends Error {
  readonly code: Code | (string & {});
  /** For the user, in the language that was chosen, as are message and remediation. */
  readonly title: string;
  readonly remediation: string;
  /** Whether the same may succeed if the user tries again, after retryAfter. */
  readonly retryable: boolean;
  /** Seconds. */
  readonly retryAfter?: number;
  /** The HTTP status, if there was an answer. */
  readonly status?: number;
  /** For support: it is in the broker's log. */
  readonly requestId?: string;
}

/** Something that happened, without personal data, ids or secrets. */
export interface ConnectEvent {
  /** "token", "opened", "widget" (with the widget's own `event`), "reopened", "saved", "closed", "error", "token_retry", "widget_retry", "save_retry". */
  name: string;
  [more: string]: unknown;
}

export interface Connect {
  /** Gets what open() needs, so that the widget opens at once. It does nothing on a server. Rejects with a ConnectError. */
  prefetch(): Promise<void>;
  /** Opens the widget. It never rejects, and is "saved" once the broker has acknowledged that. Calls while it is open get the same result. */
  open(o?: OpenOptions): Promise<Result>;
  /** Saves what an earlier page kept; undefined if there is nothing. It never rejects. */
  resume(): Promise<Result | undefined>;
  /** Returns a function that removes the listener. */
  on(event: 'event', listener: (e: ConnectEvent) => void): () => void;
}

export function createConnect(o?: ConnectOptions): Connect;
