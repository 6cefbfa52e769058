// Lists, auto-paginates and reads every kind through the official stripe-node client and compares
// with what the simulator says it holds. Prints TAP.
//
//   node list_all.mjs HOST PORT KEY
//
// or, without arguments, starts the simulator named by STRIPE_SIM.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import Stripe from 'stripe';

let count = 0;
let failed = 0;

function ok(passed, name, detail) {
  count += 1;
  if (!passed) failed += 1;
  console.log(`${passed ? 'ok' : 'not ok'} ${count} - ${name}`);
  if (!passed && detail !== undefined) console.log(`# ${String(detail).replaceAll('\n', '\n# ')}`);
}

// Starts a simulator on a free port and waits for the line that names it.
async function startSimulator(program, key) {
  const args = ['--key', key, '--seed', '11', '--customers', '320', '--products', '40', '--prices',
    '120', '--subscriptions', '400', '--invoices', '1100', '--charges', '1100'];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [chunk] = await once(child.stdout, 'data');
  return { child, port: Number(/:(\d+)/.exec(chunk)[1]) };
}

async function stored(base, kind) {
  const answer = await fetch(`${base}/_sim/objects/${kind}`);
  const text = await answer.text();
  return text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));
}

async function collect(list) {
  const all = [];
  for await (const one of list) all.push(one);
  return all;
}

const ids = (objects) => objects.map((one) => one.id).join(' ');

// The client turns *_decimal strings into objects of its own; as JSON they are strings again.
// lastResponse is the client's, not the object's.
const plain = (object) => JSON.stringify(JSON.parse(JSON.stringify(object)));

async function rejects(name, promise, type, check) {
  try {
    await promise;
    ok(false, name, 'no error was raised');
  } catch (error) {
    ok(error instanceof type && check(error), name, `${error.constructor.name}: ${error.message}`);
  }
}

async function checkKind(base, kind, resource, parameters = {}) {
  const want = await stored(base, kind);
  const got = await collect(resource.list({ limit: 100, ...parameters }));
  ok(want.length > 0 && got.length === want.length, `${kind}: ${want.length} objects listed`, got.length);
  ok(ids(got) === ids(want), `${kind}: in the same order`);
  ok(got.every((one, i) => plain(one) === plain(want[i])), `${kind}: every field equal`);
  const middle = want[Math.floor(want.length / 2)];
  const one = await resource.retrieve(middle.id);
  ok(plain(one) === plain(middle), `${kind}: one object read`);
  return want;
}

async function checkPaging(stripe, customers) {
  const first = await stripe.customers.list({ limit: 7 });
  ok(first.data.length === 7 && first.has_more, 'a page of 7 with more to come');
  const cursor = customers[20].id;
  const after = await stripe.customers.list({ limit: 5, starting_after: cursor });
  ok(ids(after.data) === ids(customers.slice(21, 26)), 'starting_after');
  const before = await stripe.customers.list({ limit: 5, ending_before: cursor });
  ok(ids(before.data) === ids(customers.slice(15, 20)), 'ending_before');
  const { created } = customers[30];
  const range = await collect(stripe.customers.list({ limit: 3, created: { gte: created } }));
  ok(ids(range) === ids(customers.filter((one) => one.created >= created)), 'created[gte]');
  const exact = await collect(stripe.customers.list({ limit: 3, created }));
  ok(ids(exact) === ids(customers.filter((one) => one.created === created)), 'created exact');
}

async function checkChildren(base, stripe, subscriptions, invoices) {
  const items = await stored(base, 'subscription_item');
  const long = subscriptions.find((one) => one.items.has_more);
  ok(long !== undefined, 'a subscription has more items than it carries');
  if (long !== undefined) {
    const got = await collect(stripe.subscriptionItems.list({ subscription: long.id, limit: 4 }));
    ok(ids(got) === ids(items.filter((one) => one.subscription === long.id)), 'all its items listed');
  }
  const lines = await stored(base, 'invoice_line_item');
  const full = invoices.find((one) => one.lines.has_more);
  ok(full !== undefined, 'an invoice has more lines than it carries');
  if (full !== undefined) {
    const got = await collect(stripe.invoices.listLineItems(full.id, { limit: 3 }));
    ok(ids(got) === ids(lines.filter((one) => one.invoice === full.id)), 'all its lines listed');
  }
}

async function checkFilters(stripe, objects) {
  const { subscription: subscriptions, invoice: invoices, product: products } = objects;
  const hidden = await collect(stripe.subscriptions.list({ limit: 100 }));
  const open = subscriptions.filter((one) => one.status !== 'canceled');
  ok(ids(hidden) === ids(open) && open.length < subscriptions.length, 'canceled ones are hidden');
  const { customer } = invoices[0];
  const own = await collect(stripe.invoices.list({ customer, limit: 2 }));
  ok(ids(own) === ids(invoices.filter((one) => one.customer === customer)), 'invoices of a customer');
  const archived = await collect(stripe.products.list({ active: false }));
  ok(ids(archived) === ids(products.filter((one) => !one.active)), 'archived products');
}

async function checkErrors(stripe, options) {
  const invalid = Stripe.errors.StripeInvalidRequestError;
  await rejects('an unknown parameter', stripe.customers.list({ foo: 'bar' }), invalid,
    (error) => error.code === 'parameter_unknown' && error.param === 'foo' && error.statusCode === 400);
  await rejects('an unknown id', stripe.customers.retrieve('cus_nothing'), invalid,
    (error) => error.code === 'resource_missing' && error.statusCode === 404);
  await rejects('an unknown cursor', stripe.charges.list({ starting_after: 'ch_x' }), invalid,
    (error) => error.code === 'resource_missing' && error.param === 'starting_after');
  await rejects('two cursors', stripe.charges.list({ starting_after: 'a', ending_before: 'b' }),
    invalid, (error) => error.statusCode === 400);
  await rejects('a limit of 101', stripe.prices.list({ limit: 101 }), invalid,
    (error) => error.param === 'limit');
  const stranger = new Stripe('sk_test_0000wrong0000', options);
  await rejects('a wrong key', stranger.customers.list(), Stripe.errors.StripeAuthenticationError,
    (error) => error.statusCode === 401 && typeof error.requestId === 'string');
}

async function checkFaults(base, stripe) {
  const script = [{ match: { path: '^/v1/products' }, count: 1, action: { cut: 'before' } },
    { match: { path: '^/v1/prices' }, count: 1, action: { status: 500 } }];
  await fetch(`${base}/_sim/faults`, { method: 'POST', body: JSON.stringify(script) });
  ok((await stripe.products.list()).data.length > 0, 'a cut connection is retried');
  ok((await stripe.prices.list()).data.length > 0, 'a 500 is retried');
  const faults = await (await fetch(`${base}/_sim/faults`)).json();
  ok(faults.every((rule) => rule.fired === 1), 'both faults were played', JSON.stringify(faults));
}

async function checkAll(host, port, key) {
  const base = `http://${host}:${port}`;
  const options = { host, port, protocol: 'http', maxNetworkRetries: 2, telemetry: false };
  const stripe = new Stripe(key, options);
  await fetch(`${base}/_sim/reset`, { method: 'POST' });
  const account = await stripe.accounts.retrieveCurrent();
  ok(account.id.startsWith('acct_') && account.settings.dashboard.display_name !== null, 'account');
  const objects = {};
  objects.customer = await checkKind(base, 'customer', stripe.customers);
  objects.product = await checkKind(base, 'product', stripe.products);
  objects.price = await checkKind(base, 'price', stripe.prices);
  objects.subscription = await checkKind(base, 'subscription', stripe.subscriptions, { status: 'all' });
  objects.invoice = await checkKind(base, 'invoice', stripe.invoices);
  objects.charge = await checkKind(base, 'charge', stripe.charges);
  objects.event = await checkKind(base, 'event', stripe.events);
  await checkPaging(stripe, objects.customer);
  await checkChildren(base, stripe, objects.subscription, objects.invoice);
  await checkFilters(stripe, objects);
  await checkErrors(stripe, options);
  await checkFaults(base, stripe);
}

let child;
try {
  let [host, port, key] = process.argv.slice(2);
  if (host === undefined) {
    if (!process.env.STRIPE_SIM) throw new Error('give HOST PORT KEY, or set STRIPE_SIM');
    host = '127.0.0.1';
    key = 'sk_test_node00000000000000000000';
    ({ child, port } = await startSimulator(process.env.STRIPE_SIM, key));
  }
  await checkAll(host, Number(port), key);
} catch (error) {
  ok(false, 'ran to the end', error.stack);
} finally {
  child?.kill();
}
console.log(`1..${count}`);
process.exitCode = failed === 0 && count > 0 ? 0 : 1;
