// Drives the page of a board in Chromium: node page.cjs CHROMIUM PAGE [FOLDER FOR SCREENSHOTS]. Prints what it saw as JSON.
const { chromium } = require("playwright-core");
const { pathToFileURL } = require("node:url");
const path = require("node:path");

(async () => {
  const [executablePath, page, shots] = process.argv.slice(2), seen = { errors: [], requests: [] };
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
  for (const [name, width, height] of [["desktop", 1280, 900], ["phone", 390, 844]]) {
    const tab = await browser.newPage({ viewport: { width, height }, acceptDownloads: true });
    tab.on("console", message => { if (["error", "warning"].includes(message.type())) seen.errors.push(message.text()); });
    tab.on("pageerror", error => seen.errors.push(String(error)));
    tab.on("request", request => { if (!/^(file|data|blob):/.test(request.url())) seen.requests.push(request.url()); });
    await tab.goto(pathToFileURL(path.resolve(page)).href);
    await tab.waitForTimeout(shots ? 1500 : 150);
    if (shots) await tab.screenshot({ path: path.join(shots, `${name}.png`), fullPage: true });
    const order = () => tab.$$eval("#board tbody tr:not([hidden]) .name", cells => cells.map(cell => cell.textContent));
    const own = { width: await tab.evaluate(() => document.documentElement.scrollWidth) };
    own.first = await order();
    // by keyboard alone: tab to a heading of the table, sort by it, and back
    await tab.focus("#board thead th.name button");
    await tab.keyboard.press("Enter");
    own.sorted = await order();
    await tab.keyboard.press("Enter");
    own.reversed = await order();
    await tab.focus("#filter");
    await tab.keyboard.type(own.first[0].slice(0, 4));
    own.filtered = await order();
    await tab.fill("#filter", "");
    await tab.evaluate(() => { document.querySelector("#columns").closest("details").open = true; });
    const visible = () => tab.$$eval("#board thead th:not([hidden])", heads => heads.length);
    own.columns = await visible();
    await tab.focus("#columns input >> nth=1");
    await tab.keyboard.press("Space");
    own.fewer = await visible();
    if (await tab.$("#case option")) {
      own.scores = await tab.$$eval("#scores tbody tr", rows => rows.length);
      const before = await tab.textContent("#scores");
      await tab.focus("#after");
      await tab.keyboard.press("Enter");
      own.caseChanges = before !== await tab.textContent("#scores");
    }
    if (await tab.$("#slice")) {
      const picture = () => tab.$eval("#slice", canvas => canvas.toDataURL());
      const views = [await picture()];
      await tab.focus("#slice");
      for (const key of ["ArrowDown", "ArrowLeft", "e"]) {
        await tab.keyboard.press(key);
        views.push(await picture());
      }
      own.views = new Set(views).size;
      own.said = await tab.textContent("#said");
      if (shots) await (await tab.$("#viewer")).screenshot({ path: path.join(shots, `${name}-viewer.png`) });
    }
    const [file] = await Promise.all([tab.waitForEvent("download"), tab.click("a[download='leaderboard.csv']")]);
    own.download = require("node:fs").readFileSync(await file.path(), "utf8").split("\n")[0];
    seen[name] = own;
    await tab.close();
  }
  await browser.close();
  console.log(JSON.stringify(seen));
})().catch(error => { console.error(String(error)); process.exit(1); });
