/** What the broker answers, as far as the demo reads it. Amounts are decimal strings. For editors: pages do not load this file. */

export interface User { id: string; name: string }

/** Whether the widget calls the broker or the vendor. */
export type Mode = 'gateway' | 'direct';

export interface Config {
  users: User[];
  /** Base URL of the API that the widget calls with a direct token. */
  api_base_url: string;
  /** Whether that API is the emulated vendor. */
  sandbox: boolean;
  /** Modes of access tokens; the first is preselected. */
  modes: Mode[];
  /** What a gateway token may be used for. */
  features: string[];
}

export type Provenance = 'verified' | 'reported';
export type Source = 'CDSL' | 'NSDL' | 'CAMS_KFINTECH';
export interface Issue { pointer: string; code?: string; detail: string }

export interface Summary {
  id: string;
  created?: boolean;
  /** Whether it is the current statement of its owner. */
  active: boolean;
  /** Number of the owner, from 1. */
  owner: number;
  owners: { number: number; name: string | null; pan_masked: string | null; accounts: number }[];
  /** False while the broker cannot decrypt it. */
  readable: boolean;
  provenance: Provenance;
  /** Whether it differs from what the broker received from the parser. */
  differs_from_observed: boolean;
  /** JSON pointers to where it differs; 20 at most. */
  differences?: string[];
  cas_type: Source;
  period: { from: string; to: string } | null;
  investor: { name: string | null; pan_masked: string | null };
  total_value: string;
  received_rows: number;
  stored_rows: number;
  transactions: number;
  rejected: Issue[];
  warnings: Issue[];
  saved_at: string;
}

export interface Holding {
  id: string;
  class: string;
  isin: string | null;
  name: string;
  account: string | null;
  institution: string | null;
  category: string | null;
  units: string | null;
  price: string | null;
  value: string | null;
  cost: string | null;
  gain: string | null;
  sum_assured: string | null;
  /** Of holdings from several statements: where the row is from. */
  account_id?: string;
  cas_type?: Source;
  as_of?: string | null;
  provenance?: Provenance;
}

export interface Portfolio extends Summary { rows: Holding[] }

export interface Account {
  id: string;
  kind: 'demat' | 'folio' | 'policy' | 'pension';
  number_masked: string;
  institution: string | null;
  holders: { name: string | null; pan_masked: string | null }[];
  /** The statement that its rows are from. */
  portfolio_id: string;
  cas_type: Source;
  /** The end of that statement's period. */
  as_of: string | null;
  provenance: Provenance;
  /** Of its rows that count. */
  value: string | null;
  stated_value: string | null;
  rows: number;
}

export interface Owner { number: number; name: string | null; pan_masked: string | null; accounts: number; value: string; rows: number }

/** What a user owns, from all statements. */
export interface Owned {
  oldest_as_of: string | null;
  total_value: string;
  /** What the totals lack. */
  notices: { code: string; detail: string; account_id: string | null; rows: number | null }[];
  owners: Owner[];
  classes: { class: string; value: string; rows: number }[];
  accounts: Account[];
  holdings: Holding[];
  next_cursor: string | null;
}

export interface Point { day: string; value: string; oldest_as_of: string | null }

export interface Difference { before: string | null; after: string | null; change: string | null }
export interface Change { change: 'new' | 'gone' | 'changed'; class: string; isin: string | null; name: string; units: Difference; value: Difference }

/** What a statement says differently than those before it. */
export interface Changes {
  accounts: { id: string; previous_portfolio_id: string | null; previous_as_of: string | null; ended: boolean }[];
  changes: Change[];
  unchanged: number;
  value: Difference;
}

export interface Transaction {
  id: string;
  holding_id: string;
  date: string | null;
  type: string | null;
  units: string | null;
  nav: string | null;
  amount: string | null;
  balance: string | null;
}

export interface Download { blob: Blob; name: string }
