/** Opens the widget, of either generation. connect.js loads this before it opens one. */

export const isAuthentication = (error) => /^(AUTHENTICATION|TOKEN_EXPIRED)$/.test(error?.code);

/**
 * Opens the widget once and returns {data, metadata}, {error} or, when it was closed, {}.
 * @param {any} vendor the widget
 * @param {any} options the widget's, and signal
 * @param {(name: string, more?: object) => void} emit gets its events, without what is of a person
 * @param {(event: string, metadata: any) => void} note gets them whole
 */
export function show(vendor, { signal, ...options }, emit, note) {
  return new Promise((resolve) => {
    let instance, last, promised;
    const settings = {
      ...(vendor !== globalThis.PortfolioConnect && options.config), ...options,
      onSuccess: (data, metadata) => resolve(metadata === undefined && data?.data !== undefined ? data : { data, metadata }),
      onError: (error) => {
        last = error;
        if (!promised) setTimeout(() => error?.retryable || resolve({ error }));
        if (instance?.destroy && isAuthentication(error)) {
          resolve({ error });
          instance.destroy();
        }
      },
      onExit: () => setTimeout(resolve, 1000, last?.retryable === false ? { error: last } : {}), // the promise may say more
      onEvent: (event, metadata) => {
        note(event, metadata ?? {});
        emit('widget', { event, ...harmless(metadata) });
        options.onEvent?.(event, metadata);
      },
    };
    instance = vendor.create?.(settings);
    signal.addEventListener('abort', () => {
      resolve({});
      instance?.destroy?.();
    });
    promised = (instance ?? vendor).open(instance ? undefined : settings);
    promised?.then?.(
      (result) => result?.status && resolve(result),
      (error) => resolve(/closed/i.test(error?.message) ? {} : { error }),
    );
  });
}

/** Returns the metadata of a widget's event that are of no person: codes and numbers, no name of a file. */
function harmless(metadata) {
  const names = ['code', 'mode', 'cas_type', 'source', 'method', 'provider', 'retryable', 'percent', 'parse_duration_ms'];
  return Object.fromEntries(names.filter((name) => /^[\w.]{1,30}$/.test(metadata?.[name] ?? '')).map((name) => [name, metadata[name]]));
}
