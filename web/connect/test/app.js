/** An app of React with an import, for the server and the page. */

import { PortfolioConnect } from 'casbroker-connect/react';
import { createElement, useState } from 'react';

export function App(props) {
  const [text, setText] = useState('Nothing is imported');
  const notes = (note) => (globalThis.notes ??= []).push(note);
  return createElement('main', null, createElement('h1', null, 'App'), createElement('p', { 'data-testid': 'text' }, text),
    createElement(PortfolioConnect, {
      ...props, config: { title: 'Import' },
      onSuccess: (data, metadata, portfolio) => setText(`Imported ${data?.meta?.cas_type} ${portfolio?.id ?? 'by the app'}`),
      onError: (error) => setText(`${error.code}: ${error.remediation}`),
      onExit: () => notes('onExit'),
    }, ({ open, isReady, isOpen }) => createElement('button', { type: 'button', 'data-testid': 'start', disabled: !isReady, onClick: open }, isOpen ? 'Open' : 'Import')));
}
