/**
 * For the page at `config.inbox.redirectUri`, to which a mail provider sends the window that the widget has opened:
 *
 *     if (isInboxCallback()) await reportInbox();
 */

/** Reports whether a mail provider has sent the browser here. */
export function isInboxCallback(): boolean;

/**
 * Has the widget's script tell the page where it is open what the provider has answered, and close this window. It rejects if that
 * script cannot be loaded. A bundle must name the broker.
 */
export function reportInbox(o?: { brokerUrl?: string; nonce?: string }): Promise<void>;
