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
   * same again. It may take a minute. Without it, requests have the browser's cookies.
   */
  getUserToken?: (o: { fresh: boolean }) => string | null | undefined | Promise<string | null | undefined>;
  /**
   * A constant id of the signed-in user, which is sent nowhere. It keeps one user's results from another who signs in on the same page
   * or browser. Needed only if neither the `sub` of getUserToken's JWT nor the broker tells: with cookies and routes of the app's own.
   * With cookies, make a new Connect after another user has signed in.
   */
  user?: string;
  /**
   * The app's own routes, if pages do not call the broker's: the default is brokerUrl + "/v1/token" and "/v1/portfolios". `saveUrl:
   * false` leaves saving to the app: open() is then "parsed".
   */
  tokenUrl?: string;
  saveUrl?: string | false;
  /** Sent to tokenUrl. `mode` matters if the broker hands out tokens of both. */
  token?: { mode?: 'gateway' | 'direct'; features?: string[]; expiry_minutes?: number };
  /** The language of errors; English by default. */
  language?: 'en' | 'hi';
  /** Replaces texts: `{ network: { title: "Offline" } }`. */
  texts?: Partial<Texts>;
  /** The widget's script. The default is what the broker says: GET brokerUrl + "/connect/widget.json". */
  widget?: {
    /** Its server must allow CORS, as the vendor's does. */
    url?: string;
    integrity?: string;
    /** For a Content-Security-Policy with nonces. */
    nonce?: string;
    /** How long the script may take to load; 15000. */
    timeoutMs?: number;
    /** The vendor's API for direct tokens, if not the vendor's own; for tests. */
    apiBaseUrl?: string;
  };
  /**
   * Keeps a result, encrypted in IndexedDB, until it is saved, for resume(): for 24 hours. "session": it can be read after a reload of
   * this tab; the key is gone with the tab. true: by every later page of this origin in this browser, until forget(). Only a page of the
   * same user gets it. It needs https, and a user whom it can tell (see `user`); where the browser has no space left, open() works without.
   */
  keepUnsaved?: boolean | 'session';
  /**
   * Has statements parsed by POST /v1/statements of the broker, which saves them itself. The access token is then for the widget's other
   * calls only; where the broker hands out none, the widget opens without, and should be given no `enable…` setting.
   */
  upload?: 'broker';
}

export interface OpenOptions {
  config?: WidgetConfig;
  /** Closes the widget: open() is "closed". A statement that was parsed before is still saved. */
  signal?: AbortSignal;
  /** A token that the app has; the default gets one. */
  accessToken?: string;
  /** Where the widget sends that token. */
  apiBaseUrl?: string;
  /** As the widget documents them. The app's own onSubmit replaces that of `upload`. */
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
  /** `data` and `metadata` are the widget's; missing if the broker had the statement already, without this page. */
  | { status: 'saved'; portfolio: Portfolio; data?: any; metadata?: any }
  | { status: 'closed' }
  | { status: 'error'; error: ConnectError }
  /** With `saveUrl: false` only. */
  | { status: 'parsed'; data: any; metadata?: any };

/**
 * What went wrong. The widget's codes are in lower case (`AUTHENTICATION` is `authentication`). Those listed have texts of their own;
 * any other is a code of the broker (openapi.yaml) and has the texts of its status, with the broker's `detail` as the message in
 * English. In English the widget's own texts are preferred to ours, and the app's (`texts`) to both.
 */
export type Code =
  | 'network' | 'widget_not_loaded' | 'unauthenticated' | 'authentication' | 'subject_blocked' | 'forbidden' | 'other_user'
  | 'rate_limited' | 'insufficient_credits' | 'budget_exhausted' | 'unavailable' | 'invalid_password' | 'invalid_pdf' | 'not_a_statement'
  | 'statement_not_parsed' | 'parse_error' | 'generator_error' | 'cdsl_fetch_error' | 'inbox_error' | 'inbound_email_error'
  | 'file_too_large' | 'too_large' | 'invalid_statement' | 'other_owner' | 'quota_exceeded' | 'unknown';

export interface Text {
  title: string;
  message: string;
  remediation: string;
}

/** By code; other codes of the broker may be added. */
export interface Texts extends Record<Code, Partial<Text>> {
  /** The widget's subtitle when it is opened again with a new access token. */
  reopened: string;
  [code: string]: Partial<Text> | string | undefined;
}

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
  /** Whether the statement was read and is kept for resume(); only after a save that failed. */
  readonly kept?: boolean;
}

/** Something that happened, without personal data, ids or secrets. */
export interface ConnectEvent {
  /** "token", "opened", "widget" (with the widget's own `event`), "reopened", "saved", "closed", "error" (with `code`); and
   * "token_retry", "widget_retry", "save_retry", "upload_retry" with `attempt`, `code` and `wait_ms`. */
  name: string;
  [more: string]: unknown;
}

export interface Connect {
  /** Gets what open() needs, so that the widget opens at once. It does nothing on a server. Rejects with a ConnectError. */
  prefetch(o?: Pick<OpenOptions, 'accessToken'>): Promise<void>;
  /**
   * Opens the widget. It never rejects, and is "saved" once the broker has acknowledged that. Calls while it is open get the same result.
   * If the access token ends meanwhile, it gets a new one and opens the widget again, once, with the same settings and a line that says so.
   * Kept are what `prefill` has, and the forwarding address that was shown; the widget begins at its first step, since it takes no other.
   * With gateway tokens the broker is asked first whether it has the statement: then nothing is sent, also no `metadata`. If the widget
   * ends while a statement is read, and its answer is lost, it is "saved" if the broker has that statement and no other may be meant.
   */
  open(o?: OpenOptions): Promise<Result>;
  /**
   * Saves what an earlier page of this user kept, once, also if several tabs do so; undefined if there is nothing, or nobody is
   * signed in. With gateway tokens it
   * also waits for a statement whose upload an earlier page did not see the end of. It never rejects.
   */
  resume(): Promise<Result | undefined>;
  /** Forgets the access token and everything kept in this browser: for signing out, and for deleting the user's data. */
  forget(): Promise<void>;
  /** Returns a function that removes the listener. */
  on(event: 'event', listener: (e: ConnectEvent) => void): () => void;
}

export function createConnect(o?: ConnectOptions): Connect;
