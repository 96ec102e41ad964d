"""The pages in a real browser: they open, filters change the numbers, the address restores the view, exports agree."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlencode

import browser
import openpyxl
import polars as pl
import pytest
from browser import metric, settle
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, StorageState, expect
from serving import Server
from warehouse_fixtures import NOW, SCOPE, filled_data

from runs_analytics.analytics import usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.what_if import WhatIf, what_if
from runs_analytics.control.anomalies import Anomaly, CausePart, keep_anomalies
from runs_analytics.money.scenarios import Scenario, change_of, query_of
from runs_analytics.selection import Selection
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.ui import format as fmt
from runs_analytics.vocabulary import NANO

pytest_plugins = ("browser",)

ROOT = Path(__file__).parents[1]
RANGE = {"account": "acme", "from": "2026-06-01", "to": "2026-08-31"}
WHOLE = Selection(date(2026, 6, 1), date(2026, 8, 31), "Europe/Berlin")
LLM = WHOLE.with_filter("service", ["LLM"])
PAGES = sorted(p.stem for p in (ROOT / "pages").glob("*.py"))
GROWTH = change_of({"kind": "growth", "percent": "10"})
PRICE = change_of({"kind": "price", "book": "credits", "percent": "25"})
SPIKED = datetime(2026, 7, 10, tzinfo=UTC)
SPIKE = Anomaly(
    "00000000000000aa", "runs", "service", "LLM", "day", "spike", "up", SPIKED, SPIKED + timedelta(1), SPIKED, False,
    305 * NANO, 47 * NANO, 13.0, 1800 * NANO, None, (CausePart("feature", "crawl", 290 * NANO, 30 * NANO, 0.92),),
)  # fmt: skip
SPIKE_MARK = 'path[aria-label^="LLM: runs ×6.5, spike"]'


@dataclass(frozen=True)
class Site:
    """A server over known runs, and what its numbers must be."""

    server: Server
    whole: usage.Totals
    llm: usage.Totals
    grown: WhatIf
    """With a tenth more runs."""

    dearer: WhatIf
    """With a tenth more runs at prices that are a quarter higher."""

    def address(self, page: str, **query: str) -> str:
        """The address of a page."""
        path = "" if page == "overview" else page
        return f"{self.server.address}/{path}?{urlencode(RANGE | query)}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(filled_data(tmp_path_factory), folder / "data")
    with Stores.open(Settings(folder / "data"), lambda: NOW) as stores:
        ask = Ask.of(stores, SCOPE)
        whole, llm = usage.totals(ask, WHOLE), usage.totals(ask, LLM)
        grown, dearer = (
            what_if(ask, stores, Scenario("x", query_of(WHOLE), changes), today=NOW.date())
            for changes in ((GROWTH,), (GROWTH, PRICE))
        )
        stores.control.write(lambda c: keep_anomalies(c, SCOPE, [SPIKE], now=NOW))
    (folder / "clock").write_text(NOW.isoformat())
    server = Server(folder / "data", RUNS_CLOCK_FILE=str(folder / "clock"))
    server.start()
    yield Site(server, whole, llm, grown, dearer)
    server.kill()


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, site: Site) -> StorageState:
    """What a browser keeps of the person who set the server up."""
    page = browser.new_page(chromium)
    browser.set_up(page, site.server)
    state = page.context.storage_state()
    page.context.close()
    return state


@pytest.fixture(scope="module")
def window(chromium: Browser, signed_in: StorageState) -> BrowserContext:
    """Where that person opens one page after the other, whose scripts are fetched and read once."""
    return browser.new_page(chromium, known=signed_in).context


@pytest.fixture
def page(window: BrowserContext) -> Iterator[Page]:
    opened = window.new_page()
    yield opened
    opened.close()


def is_ours(message: ConsoleMessage) -> bool:
    """Streamlit looks for its server below a page's path first, which cannot but answer 404."""
    return message.type == "error" and not re.search(
        r"/\w+/_stcore/(health|host-config)", message.location["url"]
    )


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("name", [p for p in PAGES if p != "run"])
def test_a_page_opens_without_an_error(site: Site, page: Page, name: str, width: int) -> None:
    errors: list[str] = []
    page.on("console", lambda m: errors.append(f"{m.text} {m.location['url']}") if is_ours(m) else None)
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.set_viewport_size({"width": width, "height": 1040})
    page.goto(site.address(name))
    settle(page)
    assert page.locator('[data-testid="stException"]').count() == 0
    assert page.locator('[data-testid="stAlertContentError"]').count() == 0
    assert "Traceback" not in page.inner_text("body")
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 1, f"{overflow} px wider than the screen"
    assert errors == []


def test_a_filter_changes_the_numbers_and_the_address_restores_them(
    site: Site, page: Page, chromium: Browser, signed_in: StorageState
) -> None:
    page.goto(site.address("overview"))
    settle(page)
    assert metric(page, "API calls") == f"{site.whole.api_calls:,}"
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("combobox", name="Service").click()
    page.get_by_role("option", name="LLM").click()
    page.wait_for_url("**service=LLM**")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Service: LLM")).to_be_visible()
    settle(page)
    assert metric(page, "API calls") == f"{site.llm.api_calls:,}"
    assert metric(page, "Agent runs") == f"{site.llm.agent_runs:,}"
    assert "service=LLM" in page.url

    other = browser.new_page(chromium, known=signed_in)
    other.goto(page.url)
    settle(other)
    assert metric(other, "API calls") == f"{site.llm.api_calls:,}"
    other.context.close()

    page.go_back()
    settle(page)
    assert metric(page, "API calls") == f"{site.whole.api_calls:,}"


def test_a_part_follows_its_controls_with_address_export_and_back_button(
    site: Site, page: Page, tmp_path: Path
) -> None:
    page.goto(site.address("forecast"))
    settle(page)
    quiet = page.get_by_text("Europe/Berlin").first.inner_text()
    page.get_by_role("radio", name="Runs", exact=True).check()
    # On a busy machine a click within the time of the one before may be lost.
    page.wait_for_url("**measure=runs**")
    settle(page)
    page.get_by_role("radio", name="Days", exact=True).check()
    page.wait_for_url("**part=days**")
    expect(page.get_by_text("Runs per day")).to_be_visible()
    settle(page)
    coming = metric(page, "Next 30 days")
    assert page.get_by_text("Europe/Berlin").first.inner_text().split(" · ")[0] == quiet.split(" · ")[0]

    page.get_by_role("button", name="Export").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name=re.compile("^JSON")).click()
    waiting.value.save_as(tmp_path / "export.json")
    made = json.loads((tmp_path / "export.json").read_text())
    assert [table["name"] for table in made["manifest"]["tables"]] == ["forecast_days"]
    assert coming in json.dumps(made, ensure_ascii=False)
    page.keyboard.press("Escape")

    page.go_back()
    page.go_back()
    expect(page.get_by_text("Credits per day")).to_be_visible()
    assert "measure" not in page.url


def test_a_broken_address_says_so_and_shows_something(site: Site, page: Page) -> None:
    page.goto(site.address("usage", zone="Mars/Olympus"))
    settle(page)
    assert "Mars/Olympus" in page.inner_text("body")
    assert page.locator('[data-testid="stException"]').count() == 0


FORMATS = {"CSV": ".zip", "Excel": ".xlsx", "PDF": ".pdf", "JSON": ".json", "Parquet": ".zip"}


@pytest.mark.parametrize("title", FORMATS)
def test_each_export_downloads_and_its_totals_equal_the_page(
    site: Site, page: Page, title: str, tmp_path: Path
) -> None:
    page.goto(site.address("costs", service="LLM"))
    settle(page)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name=re.compile(f"^{title}")).click()
    file = tmp_path / f"export{FORMATS[title]}"
    waiting.value.save_as(file)
    assert credits_in(file, title) == site.llm.credits


def credits_in(file: Path, title: str) -> Decimal:
    """The credits that the first table of an export adds up to."""
    if title == "PDF":
        import pypdf

        text = "".join(p.extract_text() for p in pypdf.PdfReader(file).pages)
        manifest_total = re.search(r"credits[^0-9]{0,20}([\d,]+\.\d+)", text)
        assert manifest_total, text[-2000:]
        return Decimal(manifest_total[1].replace(",", ""))
    if title == "JSON":
        manifest = json.loads(file.read_text())["manifest"]
    elif title == "Excel":
        rows = openpyxl.load_workbook(file)["Manifest"].iter_rows(values_only=True)
        return next(Decimal(str(row[1])) for row in rows if str(row[0]).endswith("total credits"))
    else:
        with zipfile.ZipFile(file) as archive:
            manifest = json.loads(archive.read("manifest.json"))
            first = next(n for n in archive.namelist() if n != "manifest.json")
            content = archive.read(first)
        if title == "CSV":
            rows = list(csv.DictReader(io.StringIO(content.decode())))
            assert sum(Decimal(row["credits"] or 0) for row in rows) == Decimal(total_of(manifest))
        else:
            assert pl.read_parquet(io.BytesIO(content))["credits"].sum() == Decimal(total_of(manifest))
    return Decimal(total_of(manifest))


def total_of(manifest: dict[str, object]) -> str:
    tables = manifest["tables"]
    assert isinstance(tables, list)
    return str(tables[0]["totals"]["credits"])


# What people do


def test_scenarios_are_made_kept_compared_and_exported(site: Site, page: Page, tmp_path: Path) -> None:
    page.goto(site.address("what_if"))
    settle(page)
    assert metric(page, "Credits") == fmt.credits(site.whole.credits)
    add_change(page, "Growth", "More or fewer, in percent", "10")
    expect(page.get_by_role("button", name="+10 % runs")).to_be_visible()
    settle(page)
    assert metric(page, "Credits") == fmt.credits(site.grown.after.credits)
    save(page, "Growth alone")
    add_change(page, "Price change", "Dearer or cheaper, in percent", "25")
    settle(page)
    assert metric(page, "Credits") == fmt.credits(site.dearer.after.credits)
    assert site.dearer.after.credits > site.grown.after.credits > site.whole.credits
    save(page, "Growth and prices", is_new=True)

    page.get_by_role("radio", name="Saved scenarios").click()
    for name in ("Growth alone", "Growth and prices"):
        expect(page.get_by_test_id("stMarkdown").get_by_text(name).first).to_be_visible()
    settle(page)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name=re.compile("^JSON")).click()
    file = tmp_path / "export.json"
    waiting.value.save_as(file)
    exported = json.loads(file.read_text())["tables"]["scenarios"]
    assert {row["scenario"]: Decimal(row["credits"]) for row in exported} == {
        "As it was": site.whole.credits,
        "Growth alone": site.grown.after.credits,
        "Growth and prices": site.dearer.after.credits,
    }


def add_change(page: Page, kind: str, field: str, amount: str) -> None:
    """Add a change in its dialog; the click on the button also ends the typing."""
    page.get_by_role("button", name="Add a change").click()
    form = page.get_by_role("dialog")
    form.get_by_role("combobox", name="What would have been otherwise").click()
    page.get_by_role("option", name=kind, exact=True).click()
    form.get_by_role("textbox", name=field).fill(amount)
    form.get_by_role("button", name="Add it").click()
    expect(form).to_be_hidden()


def save(page: Page, name: str, *, is_new: bool = False) -> None:
    """Keep what is tried under a name."""
    page.get_by_role("button", name="Save", exact=True).click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill(name)
    form.get_by_role("button", name="Save as a new one" if is_new else "Save it").click()
    expect(form).to_be_hidden()


def test_a_day_of_the_calendar_opens_its_runs_and_back_shows_the_calendar(site: Site, page: Page) -> None:
    page.goto(site.address("patterns", part="calendar", service="LLM"))
    settle(page)
    address = page.url
    page.locator('path[aria-label^="Sat 22 Aug 2026"]').click(force=True)
    expect(page.get_by_role("heading", name="Run history")).to_be_visible()
    assert "from=2026-08-22&to=2026-08-22" in page.url
    page.go_back()
    expect(page.get_by_role("heading", name="Patterns")).to_be_visible()
    settle(page)
    assert page.url == address
    expect(page.get_by_text("Most on", exact=False).first).to_be_visible()


def test_a_mark_leads_to_its_anomaly_and_a_verdict_on_it_is_kept(
    site: Site, page: Page, chromium: Browser, signed_in: StorageState
) -> None:
    page.goto(site.address("usage", measure="runs"))
    settle(page)
    address = page.url
    page.locator(SPIKE_MARK).click(force=True)
    expect(page.get_by_role("heading", name="Anomalies")).to_be_visible()
    settle(page)
    page.get_by_role("radio", name="Expected").first.click()
    settle(page)
    page.reload()
    settle(page)
    expect(page.get_by_role("radio", name="Expected").first).to_be_checked()
    other = browser.new_page(chromium, known=signed_in)
    other.goto(site.address("anomalies", state="judged"))
    expect(other.get_by_text("305 runs, 47 expected")).to_be_visible()
    other.context.close()
    page.go_back()
    settle(page)
    assert page.url == address
    page.reload()
    settle(page)
    # The server may have found and marked others by itself.
    expect(page.get_by_test_id("stVegaLiteChart").locator("svg").first).to_be_visible()
    expect(page.locator(SPIKE_MARK)).to_have_count(0)
