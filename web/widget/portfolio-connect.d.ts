/** Types of the global that portfolio-connect.js sets. */

export type StatementType = 'CDSL' | 'NSDL' | 'CAMS_KFINTECH';

export type ErrorCode =
  | 'INVALID_PASSWORD'
  | 'AUTHENTICATION'
  | 'RATE_LIMITED'
  | 'NETWORK'
  | 'PARSE_ERROR'
  | 'UNKNOWN';

export interface WidgetError {
  code: ErrorCode;
  title: string;
  message: string;
  /** What the user can do about it. */
  remediation: string;
  /** Whether the user can retry the import. */
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

export interface Config {
  title?: string;
  logoUrl?: string;
  /** "auto", the default, follows the system. */
  theme?: 'auto' | 'light' | 'dark' | { mode?: 'auto' | 'light' | 'dark'; primaryColor?: string };
  /** Statement types to accept; all when missing or empty. */
  allowedTypes?: StatementType[];
  /** pan is put into the password field, as it is the usual password. */
  prefill?: { pan?: string; email?: string; phone?: string; boId?: string; dob?: string };
  /** The vendor's other import methods. The stand-in accepts these settings but has none of the methods. */
  enableGenerator?: boolean;
  enableCdslFetch?: boolean;
  enableInbox?: boolean;
  enableInboundEmail?: boolean;
}

export type EventName =
  | 'WIDGET_OPENED'
  | 'FILE_SELECTED'
  | 'UPLOAD_STARTED'
  | 'UPLOAD_PROGRESS'
  | 'PARSE_SUCCESS'
  | 'PARSE_ERROR'
  | 'WIDGET_CLOSED';

export interface FileInput {
  kind: 'file';
  file: File;
  filename: string;
  source: 'UPLOAD';
}

export interface Options {
  /** The short-lived at_… token. */
  accessToken: string;
  /** Defaults to https://api.casparser.in. */
  apiBaseUrl?: string;
  config?: Config;
  /** Called at each step; never receives a token, a password or the statement. */
  onEvent?: (event: EventName, metadata: Record<string, unknown>) => void;
  /**
   * Replaces the parse call; its return value becomes the result's data. To fail, it
   * throws an object with a WidgetError's code. onProgress takes the percentage
   * uploaded.
   */
  onSubmit?: (input: FileInput, password: string, onProgress: (percent: number) => void) => Promise<unknown>;
}

export interface Metadata {
  filename: string;
  parser_type: string;
  parse_duration_ms: number;
}

export type Result =
  | { status: 'success'; data: unknown; metadata: Metadata }
  | { status: 'closed' }
  | { status: 'error'; error: WidgetError };

declare global {
  const PortfolioConnect: Readonly<{ open(options: Options): Promise<Result> }>;
}
