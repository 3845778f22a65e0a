// Amounts in Clawback are in minor units, as Stripe counts them.

const ZERO_DECIMAL = new Set(
  'bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf'.split(' '),
);
const THREE_DECIMAL = new Set('bhd jod kwd omr tnd'.split(' '));

/**
 * "12.00 EUR", "1200 JPY".
 *
 * A `bigint` column arrives from `pg` as text, since not every 64-bit integer is a JavaScript number; an amount in a
 * JSON payload arrives as a number. `BigInt` reads both, and throws on what is not a whole number.
 *
 * @param {string | number | bigint} minor
 * @param {string} currency lower-case ISO code
 */
export function formatAmount(minor, currency) {
  const digits = ZERO_DECIMAL.has(currency) ? 0 : THREE_DECIMAL.has(currency) ? 3 : 2;
  const amount = BigInt(minor);
  const sign = amount < 0n ? '-' : '';
  const text = (amount < 0n ? -amount : amount).toString().padStart(digits + 1, '0');
  const whole = text.slice(0, text.length - digits);
  const fraction = digits === 0 ? '' : `.${text.slice(-digits)}`;
  return `${sign}${whole}${fraction} ${currency.toUpperCase()}`;
}
