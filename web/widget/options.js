/** Checks the options of the app, and fills in what it leaves out. */

/** @typedef {import('./portfolio-connect').Options} Options */
/** @typedef {import('./portfolio-connect').Config} Config */

const callbacks = ['onSuccess', 'onError', 'onExit', 'onOpen', 'onEvent', 'onSubmit'];
const allTypes = ['CDSL', 'NSDL', 'CAMS_KFINTECH'];

/**
 * Returns what is wrong with the options, for the developer, or ''.
 * @param {any} options
 * @returns {string}
 */
export function validate(options) {
  if (![options?.accessToken, options?.apiKey].some((text) => typeof text === 'string' && text !== '')) {
    return 'PortfolioConnect.open requires an accessToken.';
  }
  for (const name of callbacks) {
    if (options[name] !== undefined && typeof options[name] !== 'function') {
      return `PortfolioConnect.open: ${name} must be a function.`;
    }
  }
  const { enableInbox, inbox } = options.config ?? {};
  if (enableInbox && !URL.canParse(inbox?.redirectUri ?? '')) {
    return 'PortfolioConnect.open: config.inbox.redirectUri, an absolute URL, is required with enableInbox.';
  }
  return '';
}

/**
 * Returns the configuration with the defaults of the vendor.
 * @param {Config} [config]
 */
export function complete(config = {}) {
  const allowed = config.allowedTypes?.length ? config.allowedTypes : allTypes;
  return {
    title: 'Import your portfolio',
    successBehavior: 'close',
    homeLayout: 'list',
    ...config,
    prefill: config.prefill ?? {},
    generator: config.generator ?? {},
    inbox: config.inbox ?? {},
    inboundEmail: { pollIntervalMs: 3000, sessionTimeoutMs: 1_800_000, ...config.inboundEmail },
    allowedTypes: allowed,
    enableCdslFetch: Boolean(config.enableCdslFetch) && allowed.includes('CDSL'),
    enableGenerator: Boolean(config.enableGenerator) && allowed.includes('CAMS_KFINTECH'),
  };
}

const issuers = { CDSL: ['CDSL'], NSDL: ['NSDL'], CAMS_KFINTECH: ['CAMS', 'KFintech'] };

/** Returns the issuers of these statement types: "CDSL, CAMS or KFintech". */
export function issuerList(/** @type {string[]} */ types) {
  return new Intl.ListFormat('en-GB', { type: 'disjunction' }).format(types.flatMap((type) => issuers[type] ?? [type]));
}
