// How long a person waits for the first view, in headless Chromium: a measurement, no test.
//   first_view.mjs HUB CHROMIUM; prints one JSON object.
// Each page in a browser that has seen nothing, from the click to the view's data on the screen.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const [hub, executablePath] = process.argv.slice(2);
const web = createRequire(fileURLToPath(new URL('../../web/package.json', import.meta.url)));
const { chromium } = web('playwright-core');
const TIMES = 5;

async function measure(browser, path, selector) {
  const context = await browser.newContext({ viewport: { width: 1180, height: 860 } });
  const page = await context.newPage();
  // Seen by the page itself, in its own clock, which begins with the navigation.
  await page.addInitScript((wanted) => {
    const look = () => {
      if (!document.querySelector(wanted)) return;
      observer.disconnect();
      requestAnimationFrame(() => requestAnimationFrame(() => { globalThis.shownMs = performance.now(); }));
    };
    const observer = new MutationObserver(look);
    observer.observe(document, { childList: true, subtree: true });
  }, selector);
  await page.goto(hub + path);
  await page.waitForFunction(() => globalThis.shownMs !== undefined);
  const shown = await page.evaluate(() => globalThis.shownMs);
  const readable = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
  await page.locator('.badge.ok').waitFor({ timeout: 240_000 });
  const checked = await page.evaluate(() => performance.now());
  await context.close();
  return { readable, shown, checked };
}

const browser = await chromium.launch({ executablePath, headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'] });
const result = {};
for (const [name, path, selector] of [['map', '/', '.lane'], ['run', '/runs/bench', '.chart canvas']]) {
  const all = [];
  for (let i = 0; i < TIMES; i++) all.push(await measure(browser, path, selector));
  const median = (key) => Math.round(all.map((one) => one[key]).sort((a, b) => a - b)[TIMES >> 1]);
  result[name] = { readable_ms: median('readable'), shown_ms: median('shown'), checked_ms: median('checked') };
}
await browser.close();
console.log(JSON.stringify(result));
