/** What the user owns, from all statements: the page's main view, one person at a time. */

import { allocateSums, allocation } from './chart.js';
import { byId, el, isolated, show } from './dom.js';
import { rupees } from './money.js';
import { ageText, count, dateText, kindName, sourceName } from './format.js';
import { card, holdingsCard, issueList } from './portfolio.js';
import { provenanceMark, totalBadge } from './provenance.js';

/** @typedef {import('./api.js').Owned} Owned */
/** @typedef {import('./api.js').Owner} Owner */
/** @typedef {import('./api.js').Account} Account */

/**
 * Draws the choice of a person, each with a total; nothing for a single one.
 * @param {Owner[]} owners
 * @param {number} selected number of the one that is shown
 * @param {(number: number) => void} onSelect
 */
export function drawPeople(owners, selected, onSelect) {
  show('people', owners.length > 1);
  byId('people').replaceChildren(...owners.map((owner) =>
    el('button', {
      type: 'button', class: 'person', 'aria-pressed': String(owner.number === selected), 'data-testid': 'person-choice', 'data-owner': owner.number,
      on: { click: () => onSelect(owner.number) },
    },
    el('span', { class: 'person-name' }, isolated(personName(owner))),
    el('span', { class: 'person-total' }, rupees(owner.value)),
    el('small', {}, [owner.pan_masked, count(owner.accounts, 'account')].filter(Boolean).join(' · ')))));
}

/**
 * Writes whose holdings are shown above them, and explains a name that is not the one the
 * user signed in with.
 * @param {Owner | undefined} owner
 * @param {string} user name of the signed-in user
 * @param {boolean} several whether there are other owners
 */
export function drawHeading(owner, user, several) {
  const title = owner ? ['What ', isolated(personName(owner)), ' owns'] : [`Welcome, ${user.split(' ')[0]}`];
  byId('home-title').replaceChildren(...title);
  const other = owner?.name && owner.name.trim().toLowerCase() !== user.toLowerCase();
  byId('home-note').replaceChildren(...(other
    ? ['You are signed in as ', isolated(user), '. The statements name ', isolated(owner.name), several
      ? ' as the holder of these accounts. Each person has a total of their own.'
      : ' as the holder, so the total stands under that name.']
    : []));
  show('home-note', Boolean(other));
}

/** Returns the name of a person; where no statement gives it, the PAN or the number. */
export function personName(/** @type {Owner} */ { name, pan_masked: pan, number }) {
  return name || pan || `person ${number}`;
}

/**
 * Returns the elements that show what one person owns.
 * @param {Owned} owned of that person alone
 * @param {(button: HTMLElement) => void} download saves it as CSV
 */
export function ownedView(owned, download) {
  const accounts = new Map(owned.accounts.map((account) => [account.id, account]));
  const rows = owned.holdings.map((row) => ({ ...row, cas_type: accounts.get(row.account_id)?.cas_type }));
  const { element, showClass } = holdingsCard('Holdings', rows, '', download);
  return [
    el('div', { class: 'overview' },
      summary(owned),
      card('Allocation', allocation(allocateSums(owned.classes), (name) => name && showClass(name)))),
    ...notices(owned, accounts),
    rows.length > 0 && element,
    card('Accounts', el('p', { class: 'quiet small' }, 'Each counts once, with what the latest statement that lists it says.'), accountList(owned.accounts)),
  ].filter(Boolean);
}

/** The card with the total. */
function summary(owned) {
  const [owner] = owned.owners;
  const statements = new Set(owned.accounts.map((account) => account.portfolio_id)).size;
  const sources = [...new Set(owned.accounts.map((account) => sourceName(account.cas_type)))];
  const oldest = owned.oldest_as_of;
  return el('section', { class: 'summary', 'aria-label': 'Total', 'data-testid': 'owned' },
    el('div', { class: 'summary-head' },
      el('p', { class: 'summary-label' }, `Total of ${count(owned.accounts.length, 'account')}`),
      el('div', { class: 'badges' }, totalBadge(owned.accounts))),
    el('p', { class: 'total', 'data-testid': 'total' }, rupees(owned.total_value)),
    el('dl', { class: 'facts' },
      fact('Holder', isolated(owner ? personName(owner) : '–'), 'holder'),
      fact('PAN', isolated(owner?.pan_masked ?? 'Not given'), 'holder-pan'),
      fact('From', sources.join(', '), 'sources'),
      fact('Oldest part', oldest ? `${dateText(oldest)}, ${ageText(oldest)}` : 'No date given', 'oldest')),
    el('div', { class: 'summary-foot' },
      el('p', {}, statements === 1 ? 'From one statement.' : `From ${statements} statements. What several of them list counts once.`)));
}

function fact(name, value, id) {
  return el('div', {}, el('dt', {}, name), el('dd', { 'data-testid': id }, value));
}

/** What the total does not show. */
function notices({ notices: list }, accounts) {
  if (list.length === 0) return [];
  const issues = list.map(({ detail, rows, account_id: id }) => {
    const account = accounts.get(id);
    const of = [account?.institution, account?.number_masked].filter(Boolean).join(' ');
    return { detail: [detail, rows !== null && count(rows, 'row'), of].filter(Boolean).join(' '), pointer: '' };
  });
  return [issueList('info', `${count(list.length, 'note')} about this total`, '', issues, 'owned-notices')];
}

function accountList(/** @type {Account[]} */ accounts) {
  return el('ul', { class: 'accounts', 'data-testid': 'accounts' }, ...accounts.map((account) =>
    el('li', { 'data-testid': 'account' },
      el('span', { class: 'account-name' }, isolated(account.institution ?? kindName(account.kind))),
      el('span', { class: 'account-value' }, accountValue(account)),
      el('small', {}, kindName(account.kind), ' ', isolated(account.number_masked), holders(account)),
      el('small', { class: 'account-origin' }, sourceName(account.cas_type), ' · ',
        account.as_of ? `${dateText(account.as_of)}, ${ageText(account.as_of)}` : 'no date given', ' · ', provenanceMark(account)))));
}

/** Returns the value of an account that counts here, or why it has none. */
function accountValue({ kind, value, stated_value: stated, rows }) {
  if (kind === 'policy') return 'Cover only';
  const elsewhere = rows === 0 && Number(value) === 0 && Number(stated ?? 0) !== 0; // its funds are held in demat
  return elsewhere ? el('span', { class: 'quiet' }, 'In a demat account') : rupees(value);
}

/** Returns the holders of an account, if there are several. */
function holders({ holders: list }) {
  if (list.length < 2) return '';
  return el('span', {}, ' · held by ', isolated(list.map(({ name, pan_masked: pan }) => name ?? pan ?? '–').join(', ')));
}
