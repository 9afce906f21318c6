/**
 * The element <portfolio-connect-button>: a button that imports a statement.
 *
 *     <script type="module" src="https://broker.example/connect/element.js"></script>
 *     <portfolio-connect-button config='{"enableCdslFetch":true}'>Import</portfolio-connect-button>
 *
 * Attributes: broker-url, token-url, save-url, user, language (the default is that of the page), keep-unsaved (or
 * keep-unsaved="session"; the element then also calls resume(), once the page is loaded), upload="broker", config (JSON), nonce.
 * Properties: connect, config, getUserToken; also set before this script is loaded. It fires portfolio-saved, portfolio-closed and portfolio-error, with the Result as detail, and
 * shows errors itself, as a status. To style it: ::part(button), ::part(message).
 */

import type { Connect, ConnectOptions, Result, WidgetConfig } from '../connect.js';

export class PortfolioConnectButton extends HTMLElement {
  /** Replaces the one made from the attributes. */
  connect: Connect;
  config?: WidgetConfig;
  get getUserToken(): ConnectOptions['getUserToken'];
  set getUserToken(getUserToken: ConnectOptions['getUserToken']);
  open(): Promise<Result>;
}

declare global {
  interface HTMLElementTagNameMap {
    'portfolio-connect-button': PortfolioConnectButton;
  }
  interface HTMLElementEventMap {
    'portfolio-saved': CustomEvent<Extract<Result, { status: 'saved' }>>;
    'portfolio-closed': CustomEvent<Extract<Result, { status: 'closed' }>>;
    'portfolio-error': CustomEvent<Extract<Result, { status: 'error' }>>;
  }
}
