/** Code for the vendor's component, where only the import has changed; compiled only. */

import { PortfolioConnect } from '../connect/react.js';

export default function App({ token }: { token: string }) {
  return (
    <PortfolioConnect
      accessToken={token}
      config={{ enableCdslFetch: true, title: 'Import' }}
      onSuccess={(data, metadata) => fetch('/api/portfolio', { method: 'POST', body: JSON.stringify({ data, metadata }) })}
      onError={(error) => console.error(error.code, error.message)}
      onExit={() => console.log('closed')}
      onEvent={(event, metadata) => console.log(event, metadata)}
    >
      {({ open, isReady }) => (
        <button onClick={open} disabled={!isReady}>
          Import Portfolio
        </button>
      )}
    </PortfolioConnect>
  );
}
