// What people are promised of the dashboard, in headless Chromium. Started by dashboard_test.py:
//   dashboard.mjs HUB FORK CHROMIUM PROFILE IMAGES
// Waits for conditions, never for a time; each wait has one generous limit, for slow machines.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

const [hub, fork, chromiumPath, profile, images] = process.argv.slice(2);
const web = createRequire(fileURLToPath(new URL('../../web/package.json', import.meta.url)));
const { chromium } = web('playwright-core');
const axeSource = readFileSync(web.resolve('axe-core/axe.min.js'), 'utf8');
const WAIT_MS = Number(process.env.HARAMBEE_WAIT_MS ?? 240_000);
const input = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const say = (event) => console.log(JSON.stringify({ event }));
const step = (text) => console.log(`  ${text}`);

// Stands between browser and hub, and can lie.
class Proxy {
  upstream = hub;
  change = null; // (path, body) → body

  async listen() {
    const server = http.createServer((request, response) => this.pass(request, response));
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    this.url = `http://127.0.0.1:${server.address().port}`;
    this.server = server;
    return this;
  }

  pass(request, response) {
    const headers = { ...request.headers, 'accept-encoding': 'identity', connection: 'close' };
    const onward = http.request(this.upstream + request.url, { method: request.method, headers },
      (answer) => {
        const stream = answer.headers['content-type']?.startsWith('text/event-stream');
        if (stream || !this.change) {
          response.writeHead(answer.statusCode, answer.headers);
          answer.pipe(response);
          return;
        }
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('end', () => {
          response.writeHead(answer.statusCode, answer.headers);
          response.end(this.change(request.url, Buffer.concat(parts)));
        });
      });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  }
}

// Flips one bit in entry `index` wherever its bundle is served.
function flipEntry(index) {
  return (path, body) => {
    if (!path.startsWith(`/tile/entries/${String(Math.floor(index / 256)).padStart(3, '0')}`)) {
      return body;
    }
    const out = Buffer.from(body);
    let at = 0;
    for (let i = 0; i < index % 256; i++) at += 2 + out.readUInt16BE(at);
    out[at + 2 + 40] ^= 1; // within the base64 of the payload
    return out;
  };
}

function listenForTrouble(page, allowed) {
  const trouble = [];
  page.on('console', (message) => {
    if (message.type() === 'error') trouble.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => trouble.push(`error: ${error.message}`));
  page.on('request', (request) => {
    if (!request.url().startsWith(allowed)) trouble.push(`external request: ${request.url()}`);
  });
  return trouble;
}

async function axe(page, where) {
  await page.evaluate(axeSource);
  const found = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'],
  }));
  const told = found.violations.map((violation) =>
    `${violation.id}: ${violation.help} (${violation.nodes.map((node) => node.target).slice(0, 3)})`);
  assert.deepEqual(told, [], `accessibility of ${where}`);
}

async function noSidewaysScroll(page, where) {
  const { wide, narrow } = await page.evaluate(() =>
    ({ wide: document.documentElement.scrollWidth, narrow: innerWidth }));
  assert.ok(wide <= narrow, `${where} is ${wide} px wide on a screen of ${narrow}`);
}

async function shoot(page, name) {
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: `${images}/${name}.png`, animations: 'disabled' });
}

const text = (page, selector) => page.locator(selector).first().innerText();

async function opening(page) {
  await page.goto(`${hub}/`);
  await page.locator('#content h1').waitFor();
  assert.match(await text(page, 'h1'), /train open models together/);
  const command = await text(page, '.join code');
  assert.equal(command, `harambee join ${hub}/runs/test`);
  await page.getByRole('button', { name: 'Copy the join command' }).focus();
  await page.keyboard.press('Enter');
  await page.getByText('Copied ✓').waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), command);
  await page.locator('.badge.ok').waitFor({ timeout: WAIT_MS });
  await axe(page, 'the map');
  step('the map says what this is and how to take part; the command is copied by keyboard');
}

async function liveUpdate(page) {
  await page.getByRole('link', { name: 'test', exact: true }).first().click();
  await page.waitForURL(`${hub}/runs/test`);
  await page.evaluate(() => { globalThis.sameDocument = true; });
  await page.getByText('no round has been scored', { exact: false }).waitFor();
  say('train');
  await page.locator('#open-round').waitFor({ timeout: WAIT_MS });
  await page.locator('.chart canvas').waitFor({ timeout: WAIT_MS });
  await page.locator('#contributors').waitFor();
  assert.ok(await page.evaluate(() => globalThis.sameDocument), 'the page was loaded again');
  step('a run goes on and the page follows without being loaded again');
}

async function finished(page) {
  await page.waitForFunction(() => {
    const bar = document.querySelector('.title progress');
    return bar && bar.value * 2 >= bar.max;
  }, null, { timeout: WAIT_MS });
  await shoot(page, 'run');
  await page.locator('h1 .chip.done').waitFor({ timeout: WAIT_MS });
  assert.ok(await page.evaluate(() => globalThis.sameDocument), 'the page was loaded again');
  await axe(page, 'a run');
  await page.emulateMedia({ colorScheme: 'dark' });
  await axe(page, 'a run in the dark');
  await page.emulateMedia({ colorScheme: 'light' });
  step('the run finishes before our eyes; the page is accessible in light and dark');
}

async function audits(page) {
  const card = page.locator('section[aria-labelledby=audits]');
  const near = card.locator('li', { hasText: 'near' }).first();
  await near.waitFor({ timeout: WAIT_MS });
  assert.match(await near.innerText(), /cosine 0\.99\d*, distance 0\.0\d+/);
  const limits = 'Near is a cosine of at least 0.99 and a relative distance of at most 0.1.';
  assert.ok((await card.innerText()).includes(limits));
  assert.match(await card.locator('li', { hasText: 'exact' }).first().innerText(), /^exact by\s+[0-9a-f]{10}$/);
  await axe(page, 'a run with audits');
  await card.screenshot({ path: `${images}/audits.png`, animations: 'disabled' });
  await card.locator('tr', { hasText: 'near by' }).locator('.key').first().click();
  await page.getByText('Why it stands where it stands').waitFor();
  assert.match(await card.innerText(), /cosine 0\.99\d*, distance 0\.0\d+/);
  assert.ok((await card.innerText()).includes(limits));
  await axe(page, 'a peer with audits');
  await card.locator('tbody th a').first().click();
  await page.getByText('all holds').waitFor({ timeout: WAIT_MS });
  await near.waitFor();
  await near.locator('a.entry').click();
  await page.getByRole('heading', { name: /^audit/ }).waitFor();
  await page.goto(`${hub}/runs/test`);
  await page.locator('.chart canvas').waitFor();
  step('an audit says what each auditor found, how near it came and from where that is near');
}

async function baselines(page) {
  say('baseline');
  await page.locator('.baselines li').nth(1).waitFor({ timeout: WAIT_MS });
  const told = await text(page, '.baselines');
  assert.match(told, /over rounds: 1\.2500 nats at 3 rounds/);
  assert.match(told, /over tokens: 1\.5000 nats at 1,000,000 tokens/);
  const chart = page.getByRole('img', { name: /Baseline over rounds: 1\.2500 nats at 3 rounds/ });
  await chart.waitFor();
  for (const axis of ['tokens', 'rounds']) {
    await page.getByRole('button', { name: `over ${axis}` }).click();
    await chart.locator('.u-legend').getByText('over tokens').waitFor();
  }
  await page.getByText('The same as a table').click();
  await page.getByRole('region', { name: 'Points of the baselines' }).getByText('1,000,000 tokens').waitFor();
  await axe(page, 'a run with baselines');
  await page.getByText('The same as a table').click();
  step('the maintainer\'s baselines come into the chart, its words and its table');
}

async function forks(page) {
  await page.goto(`${hub}/`);
  await page.locator('.lane').waitFor({ timeout: WAIT_MS });
  assert.equal(await page.locator('.branch').count(), 0);
  say('fork-run');
  await page.locator('.branch').waitFor({ state: 'attached', timeout: WAIT_MS });
  assert.equal(await page.locator('.lane').count(), 2);
  const map = await page.locator('.lineage svg').getAttribute('aria-label');
  assert.match(map, /second: .*, from test after 2 rounds/);
  // It hangs on the curve of the run that it came from, not beside it.
  const [above, below, branch] = await Promise.all([
    page.locator('.lane').first(), page.locator('.lane').nth(1), page.locator('.branch'),
  ].map((one) => one.boundingBox()));
  assert.ok(branch.y >= above.y && branch.y < above.y + above.height, 'where the branch begins');
  assert.ok(branch.y + branch.height > below.y, 'where the branch ends');
  await axe(page, 'a map with a fork');
  await page.locator('.lane').nth(1).click();
  await page.getByText('Began with the weights of').waitFor({ timeout: WAIT_MS });
  const began = await text(page, '.title');
  assert.match(began, /Began with the weights of test\s+after 2 rounds/);
  step('a run that began with another one\'s weights hangs on it in the map');
  await page.goto(`${hub}/runs/test`);
  await page.locator('#content h1').waitFor();
}

async function samples(page) {
  const section = page.locator('section[aria-labelledby=what-it-writes]');
  await section.getByRole('article').nth(1).waitFor({ timeout: WAIT_MS });
  const rounds = section.getByRole('combobox');
  // The last weights' text comes after the run has ended, and without a reload.
  await page.waitForFunction((last) => [...document.querySelectorAll('.sample select')]
    .some((select) => select.value === last), String(await page.evaluate(
      () => document.querySelector('.title progress').max)), { timeout: WAIT_MS });
  const last = await rounds.last().inputValue();
  await rounds.first().selectOption(last);
  await page.waitForFunction(() => {
    const texts = [...document.querySelectorAll('.sample')].map((one) => one.querySelector('pre').textContent);
    return texts[0] === texts.at(-1);
  }, null, { timeout: WAIT_MS });
  await rounds.first().selectOption('0');
  await page.waitForFunction(() => {
    const texts = [...document.querySelectorAll('.sample')].map((one) => one.querySelector('pre').textContent);
    return texts[0] !== texts.at(-1);
  }, null, { timeout: WAIT_MS });
  await section.scrollIntoViewIfNeeded();
  await section.screenshot({ path: `${images}/samples.png`, animations: 'disabled' });
  step('what the model wrote at past rounds stands side by side');
}

async function tryModel(page) {
  const box = page.locator('section[aria-labelledby=try-the-model]');
  await box.waitFor({ timeout: WAIT_MS });
  await box.getByRole('textbox').fill('#include ');
  await box.getByRole('button', { name: 'Let it write' }).click();
  const said = box.getByRole('log');
  await page.waitForFunction(() => {
    const log = document.querySelector('.said');
    return log?.getAttribute('aria-busy') === 'false' && log.textContent.length > '#include '.length + 100;
  }, null, { timeout: WAIT_MS });
  assert.match(await said.innerText(), /^#include /);
  await axe(page, 'the model that was tried');
  await box.screenshot({ path: `${images}/try.png`, animations: 'disabled' });
  // Who stops an answer (here: one that never comes) can ask again.
  await page.route('**/v1/completions', () => {});
  await box.getByRole('button', { name: 'Let it write' }).click();
  await box.getByRole('button', { name: 'Stop' }).click();
  await box.getByRole('button', { name: 'Let it write', disabled: false }).waitFor({ timeout: WAIT_MS });
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  const answer = await fetch(`${hub}/v1/completions`, { method: 'POST',
    body: JSON.stringify({ prompt: 'a', max_tokens: 8, seed: 1 }) });
  const whole = await answer.json();
  assert.equal(whole.usage.completion_tokens, 8);
  const again = await fetch(`${hub}/v1/completions`, { method: 'POST',
    body: JSON.stringify({ prompt: 'a', max_tokens: 8, seed: 1 }) });
  assert.equal((await again.json()).choices[0].text, whole.choices[0].text, 'the same seed, another text');
  assert.equal((await fetch(`${hub}/v1/chat/completions`, { method: 'POST',
    body: JSON.stringify({ messages: [{ role: 'user', content: 'a' }] }) })).status, 404);
  assert.equal((await fetch(`${hub}/v1/models`)).status, 404, 'only the two questions pass');
  step('the model can be tried on the page, through the hub');
}

async function explanations(page) {
  await page.locator('section[aria-labelledby=contributors] tbody .key').first().click();
  await page.getByText('Why it stands where it stands').waitFor();
  const why = await text(page, '.reasons');
  assert.match(why, /joined as member/);
  assert.match(why, /contributed to round 0/);
  await axe(page, 'a peer');
  await shoot(page, 'peer');
  await page.locator('.reasons li', { hasText: 'contributed to round 0' }).locator('a').click();
  await page.getByText('all holds').waitFor({ timeout: WAIT_MS });
  assert.match(await text(page, '.verdict'), /round 0/);
  await axe(page, 'a record');
  await shoot(page, 'record');
  const link = page.url();
  assert.match(link, /\/records\/[0-9a-f]{64}$/);
  step('credit leads to reasons, reasons to signed records, and the browser checks them');
  return link.slice(hub.length);
}

async function verification(page) {
  await page.goto(`${hub}/verify`);
  await page.locator('.badge.ok').waitFor({ timeout: WAIT_MS });
  await page.getByRole('button', { name: /^Check .* records$/ }).click();
  const result = page.locator('#whole-result');
  await result.waitFor({ timeout: WAIT_MS });
  assert.match(await result.innerText(), /All \d+ records of \d+ authors are as they were signed/);
  assert.match(await text(page, '#the-log >> xpath=ancestor::section'), /WebCrypto/);
  await axe(page, 'the check');
  await shoot(page, 'verify');
  step('the browser checks every record of the log');
}

async function tampering(context, record) {
  const proxy = await new Proxy().listen();
  const page = await context.newPage();
  await page.goto(proxy.url + record);
  await page.getByText('all holds').waitFor({ timeout: WAIT_MS });
  const index = Number((await text(page, 'h1')).match(/\d+/)[0]);

  // At an address of its own: the honest tiles are in the browser's cache for good.
  const liar = await new Proxy().listen();
  liar.change = flipEntry(index);
  await page.goto(liar.url + record);
  await page.getByText('does not hold').waitFor({ timeout: WAIT_MS });
  assert.match(await text(page, '.findings .no'), /its bytes were changed/);
  await page.goto(`${liar.url}/verify`);
  await page.getByRole('button', { name: /^Check .* records$/ }).click();
  await page.locator('#whole-result .no').waitFor({ timeout: WAIT_MS });
  assert.match(await text(page, '#whole-result'), new RegExp(`Entry ${index}:`));
  step(`a flipped bit in entry ${index} is caught, and the entry is named`);

  say('grow-fork');
  await input.next();
  proxy.upstream = fork;
  await page.goto(`${proxy.url}/`);
  await page.locator('.caught').waitFor({ timeout: WAIT_MS });
  assert.match(await text(page, '.caught'), /The log was rewritten/);
  assert.match(await text(page, '.badge'), /caught/);
  await page.goto(`${proxy.url}/verify`);
  await page.getByText('Two checkpoints, both signed').waitFor();
  assert.equal(await page.locator('pre').count(), 2);
  await axe(page, 'a hub that was caught');
  await shoot(page, 'caught');
  step('a hub that shows another history under the same key is caught, with the proof in hand');
  await page.close();
  for (const { server } of [proxy, liar]) {
    server.closeAllConnections?.();
    server.close();
  }
}

async function phone(browser) {
  const context = await browser.browser()?.newContext() ?? browser;
  const page = await context.newPage();
  await page.setViewportSize({ width: 390, height: 844 });
  for (const [path, name] of [['/', 'map'], ['/runs/test', 'run'], ['/verify', 'verify']]) {
    await page.goto(hub + path);
    await page.locator('#content h1').waitFor(); // the view's own, not "Loading…"
    await page.locator('.badge.ok').waitFor({ timeout: WAIT_MS });
    await noSidewaysScroll(page, `${path} on a phone`);
    await axe(page, `${path} on a phone`);
    if (name === 'run') await shoot(page, 'phone');
  }
  await page.close();
  step('everything fits on a phone');
}

async function withoutScript() {
  const page = await (await fetch(`${hub}/`)).text();
  assert.match(page, /<a href="\/runs\/test">/);
  assert.match(page, /harambee join http/);
  const run = await fetch(`${hub}/runs/test`, { headers: { Accept: 'text/html' } });
  const plain = await run.text();
  assert.match(plain, /Contributors/);
  assert.match(plain, /What it writes/);
  assert.match(plain, /near<\/a>: cosine 0\.99\d*, distance 0\.0\d*/);
  const policy = run.headers.get('content-security-policy');
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
  const program = await fetch(`${hub}/runs/test`);
  assert.match(program.headers.get('content-type'), /json/, 'programs still get JSON');
  step('pages are readable without JavaScript, under a strict policy');
}

async function pictures(page) {
  await page.setViewportSize({ width: 1180, height: 860 });
  await page.goto(`${hub}/`);
  await page.locator('#content h1').waitFor();
  await page.locator('.badge.ok').waitFor();
  await shoot(page, 'map');
  await page.goto(`${hub}/runs/test`);
  await page.locator('.chart canvas').waitFor();
  await page.locator('.badge.ok').waitFor();
  await page.emulateMedia({ colorScheme: 'dark' });
  await shoot(page, 'run-dark');
}

mkdirSync(images, { recursive: true });
const context = await chromium.launchPersistentContext(profile, {
  executablePath: chromiumPath,
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
         '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  viewport: { width: 1180, height: 860 },
  reducedMotion: 'reduce',
});
let failed = false;
try {
  context.setDefaultTimeout(WAIT_MS);
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: hub });
  const page = await context.newPage();
  const trouble = listenForTrouble(page, hub);
  await opening(page);
  await liveUpdate(page);
  await finished(page);
  await audits(page);
  await baselines(page);
  await samples(page);
  await tryModel(page);
  const record = await explanations(page);
  await forks(page);
  await verification(page);
  await phone(context);
  await pictures(page);
  assert.deepEqual(trouble, [], 'the pages of an honest hub are quiet');
  await tampering(context, record);
  await withoutScript();
} catch (error) {
  failed = true;
  console.log(error.stack ?? error);
  for (const page of context.pages()) {
    console.log(`open: ${page.url()}\n${(await page.locator('body').innerText().catch(() => '')).slice(0, 3000)}`);
  }
} finally {
  await context.close();
}
process.exit(failed ? 1 : 0);
