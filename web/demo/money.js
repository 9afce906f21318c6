/**
 * Amounts as exact decimals. The broker sends them as strings ("1234567.89");
 * they never pass through a float here, so no digit is lost on the way.
 */

const form = /^([+-]?)(\d+)(?:\.(\d+))?$/;
const minus = '\u2212';

/** An exact decimal: digits / 10^scale. */
export class Decimal {
  /**
   * @param {bigint} digits
   * @param {number} scale
   */
  constructor(digits, scale) {
    this.digits = digits;
    this.scale = scale;
  }

  static zero = new Decimal(0n, 0);

  /**
   * @param {string | null | undefined} text
   * @returns {Decimal | null} null for anything that is not a plain decimal
   */
  static parse(text) {
    const found = form.exec(text ?? '');
    if (!found) return null;
    const [, sign, whole, fraction = ''] = found;
    const digits = BigInt(whole + fraction);
    return new Decimal(sign === '-' ? -digits : digits, fraction.length);
  }

  /** The digits this number would have with scale places, which must not be fewer than it has. */
  #at(scale) {
    return this.digits * 10n ** BigInt(scale - this.scale);
  }

  plus(/** @type {Decimal} */ other) {
    const scale = Math.max(this.scale, other.scale);
    return new Decimal(this.#at(scale) + other.#at(scale), scale);
  }

  /** Below 0, 0 or above 0, as sort wants it. */
  compare(/** @type {Decimal} */ other) {
    const scale = Math.max(this.scale, other.scale);
    const [a, b] = [this.#at(scale), other.#at(scale)];
    return a < b ? -1 : Number(a > b);
  }

  get negative() {
    return this.digits < 0n;
  }

  /**
   * The share of whole that this is, in tenths of a percent, rounded half up.
   * Only the share is rounded; it is for pictures and legends.
   */
  perMille(/** @type {Decimal} */ whole) {
    const scale = Math.max(this.scale, whole.scale);
    const [a, b] = [this.#at(scale), whole.#at(scale)];
    return b > 0n ? Number((2000n * a + b) / (2n * b)) : 0;
  }

  /**
   * The number with Indian digit grouping, 12,34,567.89.
   * @param {number} [places] decimals to show at least; more are shown when there are more
   */
  grouped(places = 0) {
    const text = (this.negative ? -this.digits : this.digits).toString().padStart(this.scale + 1, '0');
    const whole = text.slice(0, text.length - this.scale);
    const fraction = text.slice(text.length - this.scale).replace(/0+$/, '').padEnd(places, '0');
    // the last three digits, then pairs
    const groups = whole.replace(/\B(?=(\d\d)*\d{3}$)/g, ',');
    return (this.negative ? minus : '') + groups + (fraction ? `.${fraction}` : '');
  }
}

/**
 * An amount as people in India write it: ₹12,34,567.89.
 * @param {string | Decimal | null | undefined} amount
 * @returns {string} what was given when it is no number, and a dash when there is none
 */
export function rupees(amount) {
  const number = amount instanceof Decimal ? amount : Decimal.parse(amount);
  if (!number) return String(amount ?? '–');
  const text = number.grouped(2);
  return number.negative ? `${minus}₹${text.slice(1)}` : `₹${text}`;
}

/**
 * A quantity, such as units: 1,250 or 12.345.
 * @param {string | null | undefined} amount
 */
export function quantity(amount) {
  return Decimal.parse(amount)?.grouped() ?? String(amount ?? '–');
}

/** 423 becomes "42.3%"; a share too small to show is still not shown as nothing. */
export function percent(/** @type {number} */ perMille) {
  if (perMille === 0) return '< 0.1%';
  return `${Math.trunc(perMille / 10)}.${Math.abs(perMille % 10)}%`;
}

/** The sum of those amounts that are there. */
export function sum(/** @type {(string | null | undefined)[]} */ amounts) {
  return amounts.reduce((total, text) => total.plus(Decimal.parse(text) ?? Decimal.zero), Decimal.zero);
}
