/** connect.js for React 18 and later. `react` is the app's own. */

import type { ReactElement, ReactNode } from 'react';

import type { Connect, ConnectOptions, OpenOptions, Portfolio, Result } from '../connect.js';

export { ConnectError, createConnect } from '../connect.js';
export type * from '../connect.js';

/** What the vendor's onError gets: codes in capitals. */
export interface VendorError {
  code: string;
  title: string;
  message: string;
  remediation: string;
  retryable: boolean;
  details: { status?: number; requestId?: string; retryAfter?: number };
}

/**
 * The props of the vendor's component, and the options of createConnect. With an `accessToken` and none of those (brokerUrl,
 * getUserToken, tokenUrl, connect), the component does what the vendor's does: the app saves the result in onSuccess. Else it
 * gets its own token, and calls onSuccess once the statement is saved.
 */
export interface PortfolioConnectProps extends ConnectOptions, Omit<OpenOptions, 'signal'> {
  /** A Connect that the app has made; the options of createConnect are not used then. */
  connect?: Connect;
  /** `data` is missing if the broker had the statement already, without this page; `portfolio` if the app saves it. */
  onSuccess?: (data: any, metadata: any, portfolio?: Portfolio) => void;
  onError?: (error: VendorError) => void;
  /** Called when the widget has closed, for whatever reason, and what came of it is known. */
  onExit?: () => void;
}

export interface PortfolioConnectState {
  /** Opens the widget; as of Connect. */
  open: () => Promise<Result>;
  /** Whether the widget will open at once. */
  isReady: boolean;
  isOpen: boolean;
  connect: Connect;
}

export function usePortfolioConnect(props: PortfolioConnectProps): PortfolioConnectState;

export function PortfolioConnect(
  props: PortfolioConnectProps & {
    /** The class of the button, if children is no function. */
    className?: string;
    children?: ((state: PortfolioConnectState) => ReactNode) | ReactNode;
  },
): ReactElement;

export default PortfolioConnect;
