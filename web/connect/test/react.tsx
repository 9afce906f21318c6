/** The component and the hook of react.js; compiled only. */

import { PortfolioConnect, usePortfolioConnect } from '../connect/react.js';

export function Import({ getToken }: { getToken: () => Promise<string> }) {
  return (
    <PortfolioConnect
      brokerUrl="https://broker.example"
      getUserToken={getToken}
      config={{ enableGenerator: true }}
      onSuccess={(_data, _metadata, portfolio) => console.log(portfolio?.id)}
      onError={(error) => console.error(error.title, error.details.requestId)}
    >
      {({ open, isReady, isOpen }) => (
        <button onClick={() => void open()} disabled={!isReady || isOpen}>
          Import
        </button>
      )}
    </PortfolioConnect>
  );
}

export function WithHook() {
  const { open, isReady } = usePortfolioConnect({ onSuccess: (data) => console.log(data) });
  return <button disabled={!isReady} onClick={async () => console.log((await open()).status)} />;
}
