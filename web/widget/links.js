/** Links to where statements are: mailboxes, and the issuers' own pages. */

import { el } from './dom.js';

const mailboxes = {
  Gmail: 'https://mail.google.com/mail/u/0/#search/%22consolidated+account+statement%22',
  Outlook: 'https://outlook.live.com/mail/0/',
  'Zoho Mail': 'https://mail.zoho.in/',
};

const issuers = [
  { name: 'CAMS and KFintech', asset: 'mutual_funds', type: 'CAMS_KFINTECH', url: 'https://www.camsonline.com/Investors/Statements/Consolidated-Account-Statement' },
  { name: 'CDSL', asset: 'demat', type: 'CDSL', url: 'https://www.cdslindia.com/cas/logincas.aspx' },
  { name: 'NSDL', asset: 'demat', type: 'NSDL', url: 'https://nsdlcas.nsdl.com/' },
];

/** Links that open the user's mailbox at the statements. */
export function shortcuts() {
  return section('Look for it in your mail', Object.entries(mailboxes).map(([name, url]) => outside(name, url)));
}

/**
 * Links to the pages where the issuers give statements.
 * @param {import('./dialog.js').Dialog} session
 */
export function portals({ config, emit }) {
  return section('Ask the issuer for it', issuers.filter(({ type }) => config.allowedTypes.includes(type)).map(({ name, asset, url }) =>
    outside(name, url, () => {
      emit('ASSET_SELECTED', { asset });
      emit('PORTAL_HANDOFF', { portal: name });
    })));
}

function section(title, links) {
  return el('section', { 'aria-label': title }, el('h3', {}, title), el('div', { class: 'links' }, ...links));
}

function outside(name, url, click = () => {}) {
  return el('a', { href: url, target: '_blank', rel: 'noopener noreferrer', on: { click } }, name);
}
