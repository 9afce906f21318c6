/**
 * Exact decimal amounts. The broker sends them as strings ("1234567.89"); they are
 * never converted to a float, so no digit is lost.
 */

const pattern = /^([+-]?)(\d+)(?:\.(\d+))?$/;
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
    const match = pattern.exec(text ?? '');
    if (!match) return null;
    const [, sign, whole, fraction = ''] = match;
    const digits = BigInt(whole + fraction);
    return new Decimal(sign === '-' ? -digits : digits, fraction.length);
  }

  /** Returns the digits at a scale, which must not be smaller than this number's. */
  #digitsAt(scale) {
    return this.digits * 10n ** BigInt(scale - this.scale);
  }

  plus(/** @type {Decimal} */ other) {
    const scale = Math.max(this.scale, other.scale);
    return new Decimal(this.#digitsAt(scale) + other.#digitsAt(scale), scale);
  }

  minus(/** @type {Decimal} */ other) {
    return this.plus(new Decimal(-other.digits, other.scale));
  }

  /** Returns -1, 0 or 1, for sorting. */
  compare(/** @type {Decimal} */ other) {
    const scale = Math.max(this.scale, other.scale);
    const [a, b] = [this.#digitsAt(scale), other.#digitsAt(scale)];
    return a < b ? -1 : Number(a > b);
  }

  get negative() {
    return this.digits < 0n;
  }

  /**
   * Returns this number's share of whole in tenths of a percent, rounded half up, for
   * charts and legends.
   */
  perMille(/** @type {Decimal} */ whole) {
    const scale = Math.max(this.scale, whole.scale);
    const [a, b] = [this.#digitsAt(scale), whole.#digitsAt(scale)];
    return b > 0n ? Number((2000n * a + b) / (2n * b)) : 0;
  }

  /**
   * Formats the number with Indian digit grouping: 12,34,567.89.
   * @param {number} [places] minimum number of decimals
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
 * Formats an amount in rupees: ₹12,34,567.89.
 * @param {string | Decimal | null | undefined} amount
 * @returns {string} the text itself when it is not a number, a dash for null
 */
export function rupees(amount) {
  const number = amount instanceof Decimal ? amount : Decimal.parse(amount);
  if (!number) return String(amount ?? '–');
  const text = number.grouped(2);
  return number.negative ? `${minus}₹${text.slice(1)}` : `₹${text}`;
}

/** Formats an amount in lakh (L) or crore (Cr), cut to two decimals, for where there is little space; a smaller one in rupees. */
export function shortAmount(/** @type {Decimal} */ amount) {
  const whole = amount.grouped().split('.')[0].replace(minus, '');
  const digits = whole.replaceAll(',', '');
  const sign = amount.negative ? minus : '';
  for (const [zeros, suffix] of [[7, 'Cr'], [5, 'L']]) {
    if (digits.length > zeros) {
      const units = new Decimal(BigInt(digits.slice(0, -zeros)), 0).grouped();
      return `${sign}₹${units}.${digits.slice(-zeros).slice(0, 2)} ${suffix}`;
    }
  }
  return `${sign}₹${whole}`;
}

/** Formats a change of an amount with its sign: +₹120.50. */
export function signed(/** @type {string | null} */ amount) {
  const positive = Decimal.parse(amount)?.compare(Decimal.zero) > 0;
  return `${positive ? '+' : ''}${rupees(amount)}`;
}

/**
 * Formats a quantity, such as units: 1,250 or 12.345.
 * @param {string | null | undefined} amount
 */
export function quantity(amount) {
  return Decimal.parse(amount)?.grouped() ?? String(amount ?? '–');
}

/** Formats tenths of a percent: 423 is "42.3%", 0 is "< 0.1%". */
export function percent(/** @type {number} */ perMille) {
  if (perMille === 0) return '< 0.1%';
  return `${Math.trunc(perMille / 10)}.${Math.abs(perMille % 10)}%`;
}

/** Returns the sum of the amounts, ignoring missing ones. */
export function sum(/** @type {(string | null | undefined)[]} */ amounts) {
  return amounts.reduce((total, text) => total.plus(Decimal.parse(text) ?? Decimal.zero), Decimal.zero);
}
