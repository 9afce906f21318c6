/** Renders the app as a server does, and writes it. */

import { createElement } from 'react';
import { renderToString } from 'react-dom/server';

import { App } from './app.js';
import '../connect/element.js'; // which a server may import, too

process.stdout.write(renderToString(createElement(App, JSON.parse(process.argv[2]))));
