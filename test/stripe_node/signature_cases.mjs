// Asks stripe-node and billstack the same of generated headers, bodies and secrets and prints TAP.
// They must agree, but that stripe-node takes times however far in the future, and "NaN" as a time
// when it was signed as one: without an age it is never too old.
//
//   node signature_cases.mjs VERDICTS [COUNT [SEED]]
//
// VERDICTS is the program signature_verdicts. Headers are what HTTP brings: printable ASCII, at most
// 8 KiB and 64 elements, which are limits of billstack's.
import { spawn } from 'node:child_process';
import { createHmac, randomInt } from 'node:crypto';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import Stripe from 'stripe';

const [verdicts, count = '100000', seed = String(randomInt(2 ** 32))] = process.argv.slice(2);
const { signature } = Stripe.webhooks ?? new Stripe('sk_test_unused').webhooks;

let state = Number(seed) >>> 0;
// mulberry32
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (limit) => Math.floor(random() * limit);
const pick = (list) => list[below(list.length)];
const oneIn = (n) => below(n) === 0;
const textOf = (alphabet, size) => Array.from({ length: size }, () => pick(alphabet)).join('');

const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
const header = [...'0123456789abcdef=,tv1 +-.x'];
const hex = [...'0123456789abcdef'];
const letters = [...'abcdefghijABCDEFGHIJ0123456789'];
const wide = ['é', '漢', '😀', '\u00a0', '\ufeff', '\u0000', '\u2028', '\n', '\r\n', '"', '\\', ' ', 'x'];
const blanks = ['', ' ', '\t', '\n', ' \r\n', '\f\v', '     '];

const sign = (time, body, secret) => createHmac('sha256', secret).update(`${time}.${body}`).digest('hex');

function makeBody() {
  switch (below(12)) {
    case 0: return oneIn(4) ? '' : '{}\n';
    case 1: return textOf(wide, 1 + below(40));
    case 2: return textOf(printable, 1 + below(300));
    case 3: return `\ufeff{"id":"evt_${textOf(letters, 8)}"}`;
    case 4: return oneIn(40) ? 'x'.repeat(200000) : '{}';
    default: return JSON.stringify({
      id: `evt_${textOf(letters, 24)}`, object: 'event', created: 1700000000 + below(1e6),
      data: { object: { name: textOf(wide, below(9)), amount: below(1e9) } }, type: 'customer.updated',
    }, null, oneIn(4) ? 0 : 2);
  }
}

function makeSecret() {
  switch (below(14)) {
    case 0: return oneIn(2) ? pick(blanks) : `\u00a0${pick(blanks)}`;
    case 1: return `whsec_${textOf(letters, 32)}${pick(['\n', ' ', '\r\n', '\t'])}`;
    case 2: return `${pick([' ', '\n'])}whsec_${textOf(letters, 32)}`;
    case 3: return textOf(wide, 1 + below(20));
    case 4: return `whsec_${textOf(letters, 32 + below(150))}`; // longer than SHA-256's block
    case 5: return textOf(letters, 1);
    default: return `whsec_${textOf(letters, 32)}`;
  }
}

function makeTime(now, tolerance) {
  const edge = tolerance + pick([-1, 0, 1]);
  return pick([now, now, now, now, now, now - below(300), now - below(600), now + below(600), now - edge, now + edge, 0, 1,
    now - below(1e9), now + below(1e9)]);
}

// What stands after "t=", and the number that is signed.
function writeTime(time) {
  const digits = String(time);
  if (!oneIn(5)) return [digits, digits];
  const number = pick([digits, digits, digits, textOf(hex, 3)]);
  const written = pick([`0${digits}`, `000${digits}`, ` ${digits}`, `\t${digits}`, `+${digits}`, `-${digits}`,
    `${digits} `, `${digits}x`, `${digits}.9`, `${digits}e3`, `${digits}=1`, `0x${digits}`, ` +0${digits}z`, '',
    ' ', '+', '-', '- 1', '-1', '-0', 'now', 'NaN', 'Infinity', '9'.repeat(10 + below(30)), `${digits}${digits}`]);
  return [written, oneIn(3) ? written : number];
}

// An element with a signature: mostly right, else one of the ways to get it wrong.
function makeSignature(right) {
  if (!oneIn(6)) return `v1=${right}`;
  return pick([`v1=${right.toUpperCase()}`, `v1=${right.slice(0, 63)}`, `v1=${right}0`, `v1= ${right}`, `v1=${right} `,
    `v1=${right}=`, `v1=${right}=junk`, 'v1=', 'v1', 'v1==', `v1 =${right}`, ` v1=${right}`, `V1=${right}`,
    `v0=${right}`, `v2=${right}`, `v11=${right}`, right, `=${right}`, `v1=${textOf(hex, 64)}`]);
}

function makeElements(one) {
  const [written, signed] = writeTime(one.time);
  const elements = [`t=${written}`];
  if (oneIn(20)) elements.unshift(`t=${pick([one.now, 1, 'x', ''])}`);
  if (oneIn(20)) elements.push(`t=${pick([one.now, 1, 'x', ''])}`);
  if (oneIn(30)) elements.shift();
  const signer = oneIn(12) ? makeSecret() : pick(one.secrets);
  const body = oneIn(15) ? one.body + pick([' ', '\n', 'x']) : one.body;
  for (let i = oneIn(4) ? 1 + below(4) : 0; i > 0; i -= 1) elements.push(`v1=${textOf(hex, 64)}`);
  elements.push(makeSignature(sign(signed, body, signer)));
  for (let i = oneIn(4) ? 1 + below(3) : 0; i > 0; i -= 1) {
    elements.push(pick([`v0=${textOf(hex, 64)}`, 'x', '', '=', 't', 'v', 'a=b=c', `v2=${textOf(hex, 64)}`,
      makeSignature(sign(signed, body, pick(one.secrets)))]));
  }
  if (oneIn(5)) elements.sort(() => random() - 0.5);
  return elements;
}

function damage(text) {
  const at = below(text.length + 1);
  const what = oneIn(2) ? pick(header) : pick(printable);
  switch (below(3)) {
    case 0: return text.slice(0, at) + what + text.slice(at);
    case 1: return text.slice(0, at) + text.slice(at + 1);
    default: return text.slice(0, at) + what + text.slice(at + 1);
  }
}

function makeCase() {
  const one = { now: 1600000000 + below(4e8), tolerance: pick([300, 300, 300, 1, 10, 86400]) };
  one.body = makeBody();
  one.secrets = Array.from({ length: oneIn(3) ? 1 + below(3) : 1 }, makeSecret);
  one.time = makeTime(one.now, one.tolerance);
  const elements = makeElements(one);
  if (oneIn(300)) elements.push(...Array(64 - elements.length).fill(`v1=${textOf(hex, 64)}`));
  one.header = oneIn(100) ? '' : elements.join(oneIn(40) ? ', ' : ',');
  for (let i = oneIn(8) ? 1 + below(3) : 0; i > 0; i -= 1) {
    const damaged = damage(one.header);
    // an inserted comma must not make an element more than the limit: stripe-node has none
    if (damaged.split(',').length <= 64) one.header = damaged;
  }
  one.millis = below(1000);
  return one;
}

// An endpoint with several secrets asks stripe-node once for each.
function nodeTakes(one) {
  return one.secrets.some((secret) => {
    try {
      return signature.verifyHeader(one.body, one.header, secret, one.tolerance, undefined,
        one.now * 1000 + one.millis);
    } catch {
      return false;
    }
  });
}

// The time as stripe-node reads it.
function timeOf(one) {
  const times = one.header.split(',').map((item) => item.split('=')).filter((item) => item[0] === 't');
  return parseInt(times.at(-1)?.[1], 10);
}

async function ask(cases) {
  const child = spawn(verdicts, [], { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = [];
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => answers.push(line));
  const ended = once(lines, 'close');
  for (const { header: text, body, secrets, now, tolerance } of cases) {
    const line = `${JSON.stringify({ header: text, body, secrets, now, tolerance })}\n`;
    if (!child.stdin.write(line)) await once(child.stdin, 'drain');
  }
  child.stdin.end();
  await ended;
  return answers;
}

let number = 0;
let failed = 0;
function ok(passed, name) {
  number += 1;
  if (!passed) failed += 1;
  console.log(`${passed ? 'ok' : 'not ok'} ${number} - ${name}`);
}

console.log(`# seed ${seed}, ${count} cases`);
const cases = Array.from({ length: Number(count) }, makeCase);
const answers = await ask(cases);
ok(answers.length === cases.length, 'a verdict for every case');
const seen = {};
const blank = { cases: 0, taken: 0 };
const spaced = { cases: 0, taken: 0 };
let future = 0;
let timeless = 0;
let differences = 0;
cases.forEach((one, i) => {
  const ours = answers[i] === 'valid';
  const theirs = nodeTakes(one);
  seen[answers[i]] = (seen[answers[i]] ?? 0) + 1;
  for (const [group, pattern] of [[blank, /^[ \t\r\n\f\v]*$/], [spaced, /\S\s|\s\S/]]) {
    if (!one.secrets.every((secret) => pattern.test(secret))) continue;
    group.cases += 1;
    group.taken += theirs ? 1 : 0;
  }
  if (ours === theirs) return;
  if (theirs && timeOf(one) > one.now + one.tolerance) {
    future += 1;
    return;
  }
  if (theirs && Number.isNaN(timeOf(one))) {
    timeless += 1;
    return;
  }
  differences += 1;
  if (differences <= 10) console.log(`# ${answers[i]}, stripe-node ${theirs}: ${JSON.stringify(one)}`);
});
ok(differences === 0, `${differences} differences in ${cases.length} cases`);
console.log(`# verdicts: ${JSON.stringify(seen)}; stripe-node alone takes ${future} of the future `
  + `and ${timeless} of no time`);
console.log(`# blank secrets: ${JSON.stringify(blank)}; secrets with whitespace: ${JSON.stringify(spaced)}`);
const all = ['valid', 'empty_header', 'malformed', 'no_timestamp', 'no_v1', 'mismatch', 'too_old', 'too_new'];
ok(all.every((verdict) => seen[verdict] > cases.length / 1000), 'every verdict was reached often');
ok(seen.valid > cases.length / 5 && future > 0, 'a fifth and more were valid');

console.log(`1..${number}`);
process.exitCode = failed === 0 ? 0 : 1;
