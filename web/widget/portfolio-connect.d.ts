/** Types of the global that portfolio-connect.js sets: the vendor's widget, version 2.x. */

export type StatementType = 'CDSL' | 'NSDL' | 'CAMS_KFINTECH';
/** A source of mails, in the vendor's spelling. */
export type MailSource = 'cdsl' | 'nsdl' | 'cams' | 'kfintech';

export type ErrorCode =
  | 'INVALID_PASSWORD'
  /** 401 or 403. */
  | 'AUTHENTICATION'
  /** 429. */
  | 'RATE_LIMITED'
  | 'NETWORK'
  | 'PARSE_ERROR'
  | 'GENERATOR_ERROR'
  | 'CDSL_FETCH_ERROR'
  | 'INBOX_ERROR'
  | 'INBOUND_EMAIL_ERROR'
  | 'UNKNOWN';

export interface WidgetError {
  code: ErrorCode;
  title: string;
  message: string;
  /** What the user can do about it. */
  remediation: string;
  /** Whether the user can try again in the widget. */
  retryable: boolean;
  details: {
    status?: number;
    requestId?: string;
    /** Seconds. */
    retryAfter?: number;
    serverCode?: string;
    serverMessage?: string;
  };
}

export interface Theme {
  /** "auto", the default, follows the system. */
  mode?: 'auto' | 'light' | 'dark';
  /** Colours of CSS. */
  primary?: string;
  primaryHover?: string;
  primaryForeground?: string;
  accent?: string;
  /** Of buttons and fields: pixels, or a length of CSS. */
  radius?: number | string;
  fontFamily?: string;
}

export interface Config {
  title?: string;
  subtitle?: string;
  logoUrl?: string;
  theme?: Theme | 'auto' | 'light' | 'dark';
  /** Statement types to accept; all when missing or empty. */
  allowedTypes?: StatementType[];
  /** What the user need not enter. pan is put into the password field, too. dob is YYYY-MM-DD. */
  prefill?: { pan?: string; email?: string; phone?: string; boId?: string; dob?: string };

  /** The ways to import besides a PDF; all are off by default. */
  enableGenerator?: boolean;
  enableCdslFetch?: boolean;
  enableInbox?: boolean;
  enableInboundEmail?: boolean;

  /** How the ways are arranged; "list" by default. */
  homeLayout?: 'list' | 'grid';
  /** Links to the user's mailbox. */
  showShortcuts?: boolean;
  /** Links to the issuers' pages. */
  showPortalLinks?: boolean;
  /** Leaves out who reads the statements. */
  hideFooter?: boolean;

  /** Days are YYYY-MM-DD. With a password, the user is not asked for one. */
  generator?: { fromDate?: string; toDate?: string; password?: string };
  /** Required with enableInbox. The page at redirectUri, of this origin, calls handleInboxCallback. */
  inbox?: { redirectUri: string; casTypes?: MailSource[]; startDate?: string; endDate?: string };
  inboundEmail?: {
    callbackUrl?: string;
    /** An address that the app has made; email is what the user sees. */
    existingId?: string;
    email?: string;
    allowedSources?: MailSource[];
    reference?: string;
    metadata?: Record<string, string>;
    /** 3000 by default. */
    pollIntervalMs?: number;
    /** 1800000 by default. */
    sessionTimeoutMs?: number;
  };

  /** What follows a success: "close", the default, or a summary. */
  successBehavior?: 'summary' | 'close';
  /** Closes the summary after this time. */
  successAutoCloseMs?: number;
  /** The button of the summary. */
  successCta?: string | { label: string };
}

export type EventName =
  | 'WIDGET_OPENED' | 'WIDGET_CLOSED' | 'MODE_SWITCHED' | 'ASSET_SELECTED'
  | 'FILE_SELECTED' | 'FILE_REJECTED'
  | 'UPLOAD_STARTED' | 'UPLOAD_PROGRESS'
  | 'PARSE_STARTED' | 'PARSE_SUCCESS' | 'PARSE_ERROR'
  | 'GENERATOR_STARTED' | 'GENERATOR_SUCCESS' | 'GENERATOR_ERROR' | 'GENERATOR_HANDOFF'
  | 'CDSL_FETCH_STARTED' | 'CDSL_OTP_SENT' | 'CDSL_FILES_RECEIVED' | 'CDSL_ERROR'
  | 'INBOX_CONNECT_STARTED' | 'INBOX_HANDOFF' | 'INBOX_CONNECTED' | 'INBOX_FILES_LISTED' | 'INBOX_ERROR'
  | 'INBOUND_EMAIL_CREATED' | 'INBOUND_EMAIL_WAITING' | 'INBOUND_EMAIL_RECEIVED' | 'INBOUND_EMAIL_TIMEOUT' | 'INBOUND_EMAIL_ERROR'
  | 'PORTAL_HANDOFF';

export interface FileInput {
  kind: 'file';
  file: File;
  filename: string;
  source: 'UPLOAD';
}

export interface URLInput {
  kind: 'url';
  /** Where the vendor has the file, for some hours. */
  pdfUrl: string;
  filename: string;
  source: 'INBOX' | 'INBOUND_EMAIL' | 'CDSL_FETCH';
  /** What the vendor says about the file. */
  metadata: Record<string, unknown>;
}

export type SubmitInput = FileInput | URLInput;

export interface Metadata {
  filename: string;
  parser_type: string;
  cas_type: string;
  parse_duration_ms: number;
  /** How the statement was got: upload, cdsl_fetch, generator, inbox or inbound_email. */
  method: string;
  source: SubmitInput['source'];
}

export interface Callbacks {
  /** Called once a statement is parsed, before the widget closes. */
  onSuccess?: (data: any, metadata: Metadata) => void;
  /** Called with each error, also with those after which the user can try again. */
  onError?: (error: WidgetError) => void;
  onOpen?: () => void;
  /** Called when the widget has closed, for whatever reason. */
  onExit?: () => void;
  /** Called at each step; never receives a token, a password or the statement. */
  onEvent?: (event: EventName, metadata: Record<string, unknown>) => void;
  /**
   * Replaces the parse call of all ways; what it returns goes to onSuccess. To fail, it
   * throws an object with a WidgetError's code, or an Error with "password" in its
   * message. onProgress takes the percentage uploaded.
   */
  onSubmit?: (input: SubmitInput, password: string, onProgress?: (percent: number) => void) => Promise<unknown>;
}

export interface Options extends Callbacks {
  /** The short-lived at_… token. */
  accessToken?: string;
  /** An API key, for demos only: whoever has the page can use it. One of the two is required. */
  apiKey?: string;
  /** Defaults to https://api.casparser.in. */
  apiBaseUrl?: string;
  config?: Config;
}

export type Result =
  | { status: 'success'; data: any; metadata: Metadata }
  | { status: 'closed' }
  | { status: 'error'; error: WidgetError };

export interface PortfolioSummary {
  investorName?: string;
  pan?: string;
  casType?: string;
  /** Rupees. */
  totalValue?: number;
  /** YYYY-MM-DD. */
  asOnDate?: string;
  accounts: number;
  holdings: number;
}

export interface Handle {
  open(): Promise<Result>;
  /** Closes the widget; its result is "closed" if it has none. */
  destroy(): void;
}

export interface PortfolioConnectAPI {
  /** Never rejects. A second call while the widget is open is an error. */
  open(options: Options): Promise<Result>;
  create(options: Options): Handle;
  /** On the page at redirectUri: passes the answer to the widget and closes the window. */
  handleInboxCallback(): boolean;
  isInboxCallbackPage(): boolean;
  /** Returns the main figures of a result's data. */
  extractPortfolioSummary(data: unknown): PortfolioSummary;
}

declare global {
  const PortfolioConnect: PortfolioConnectAPI;
  interface Window {
    PortfolioConnect?: PortfolioConnectAPI;
  }
}
