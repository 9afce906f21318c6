/** What one person owns, from all statements: the page's main view. */

import { allocateSums, allocation } from './chart.js';
import { el, isolated, show, byId } from './dom.js';
import { rupees } from './money.js';
import { ageText, count, dateText, kindName, personName, sourceName } from './format.js';
import { card, holdingsCard, issueList } from './cards.js';
import { provenanceMark, totalBadge } from './provenance.js';
import { worthChange, worthChart } from './worth.js';

/** @typedef {import('./types.d.ts').Owned} Owned */
/** @typedef {import('./types.d.ts').Owner} Owner */
/** @typedef {import('./types.d.ts').Account} Account */

/**
 * Writes whose holdings are shown above them.
 * @param {Owner | undefined} owner
 * @param {string} user name of the signed-in user
 */
export function drawTitle(owner, user) {
  byId('home-title').replaceChildren('What ', isolated(owner ? personName(owner) : user), ' owns');
}

/**
 * Returns the elements that show what one person owns.
 * @param {Owned} owned of that person alone
 * @param {object} around
 * @param {Owner[]} around.owners all of the user's statements
 * @param {string} around.user name of the signed-in user
 * @param {(number: number) => void} around.choose shows another owner
 * @param {(button: HTMLElement) => void} around.download saves it as CSV
 * @param {Promise<import('./types.d.ts').Point[]>} around.worth its total over time
 */
export function ownedView(owned, { owners, user, choose, download, worth }) {
  const accounts = new Map(owned.accounts.map((account) => [account.id, account]));
  const rows = owned.holdings.map((row) => ({ ...row, cas_type: accounts.get(row.account_id)?.cas_type }));
  const { element, showClass } = holdingsCard('Holdings', rows, '', download);
  const [owner] = owned.owners;
  return [
    ...otherName(owner, user, owners.length > 1),
    owners.length > 1 && people(owners, owner?.number, choose),
    el('div', { class: 'overview' },
      summary(owned, worth),
      card('Allocation', allocation(allocateSums(owned.classes), (name) => name && showClass(name)))),
    ...notices(owned, accounts),
    rows.length > 0 && element,
    card('Accounts', el('p', { class: 'quiet small' }, 'Each counts once, with what the latest statement that lists it says.'), accountList(owned.accounts)),
  ].filter(Boolean);
}

/** Explains a name that is not the one the user signed in with. */
function otherName(owner, user, several) {
  if (!owner?.name || owner.name.trim().toLowerCase() === user.toLowerCase()) return [];
  return [el('p', { class: 'quiet', 'data-testid': 'person-note' },
    'You are signed in as ', isolated(user), '. The statements name ', isolated(owner.name), several
      ? ' as the holder of these accounts. Each person has a total of their own.'
      : ' as the holder, so the total is under that name.')];
}

/** The choice of a person, each with a total. */
function people(owners, selected, onSelect) {
  return el('div', { class: 'people', role: 'group', 'aria-label': 'Whose holdings are shown' }, ...owners.map((owner) =>
    el('button', {
      type: 'button', class: 'person', 'aria-pressed': String(owner.number === selected), 'data-testid': 'person-choice', 'data-owner': owner.number,
      on: { click: () => onSelect(owner.number) },
    },
    el('span', { class: 'person-name' }, isolated(personName(owner))),
    el('span', { class: 'person-total' }, rupees(owner.value)),
    el('small', {}, [owner.pan_masked, count(owner.accounts, 'account')].filter(Boolean).join(' · ')))));
}

/** The card with the total and its course. */
function summary(owned, worth) {
  const [owner] = owned.owners;
  const statements = new Set(owned.accounts.map((account) => account.portfolio_id)).size;
  const sources = [...new Set(owned.accounts.map((account) => sourceName(account.cas_type)))];
  const oldest = owned.oldest_as_of;
  const chart = worthChart();
  const change = el('p', { class: 'change', 'data-testid': 'total-change' });
  worth.then((points) => {
    chart.draw(points);
    change.textContent = worthChange(points);
  }, chart.fail);
  return el('section', { class: 'card summary', 'aria-label': 'Total', 'data-testid': 'owned' },
    el('div', { class: 'card-head' },
      el('h2', {}, `Total of ${count(owned.accounts.length, 'account')}`),
      totalBadge(owned.accounts)),
    el('p', { class: 'total', 'data-testid': 'total' }, rupees(owned.total_value)),
    change,
    chart.element,
    el('dl', { class: 'facts' },
      fact('Holder', isolated(owner ? personName(owner) : '–'), 'holder'),
      fact('PAN', isolated(owner?.pan_masked ?? 'Not given'), 'holder-pan'),
      fact(count(statements, 'statement'), sources.join(', '), 'sources'),
      fact('Oldest part', oldest ? `${dateText(oldest)}, ${ageText(oldest)}` : 'No date given', 'oldest')));
}

/** Returns a fact with its name. */
export function fact(/** @type {string} */ name, /** @type {string | Node} */ value, /** @type {string} */ id) {
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
        account.as_of ? `${dateText(account.as_of)}, ${ageText(account.as_of)}` : 'no date given', ' ', provenanceMark(account)))));
}

/** Returns the value of an account that counts here, or why it has none. */
function accountValue({ kind, value, stated_value: stated, rows }) {
  if (kind === 'policy') return el('span', { class: 'quiet' }, 'Cover only');
  const elsewhere = rows === 0 && Number(value) === 0 && Number(stated ?? 0) !== 0; // its funds are held in demat
  return elsewhere ? el('span', { class: 'quiet' }, 'In a demat account') : rupees(value);
}

/** Returns the holders of an account, if there are several. */
function holders({ holders: list }) {
  if (list.length < 2) return '';
  return el('span', {}, ' · held by ', isolated(list.map(({ name, pan_masked: pan }) => name ?? pan ?? '–').join(', ')));
}
