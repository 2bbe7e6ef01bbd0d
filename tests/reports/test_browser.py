"""The site of real runs in a real browser: no console error, sorting, links, a narrow screen, the keyboard, paper."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.build import build
from tests.reports.pages import Page, broken_links

webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium here")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="no chromium here (apt-get install chromium chromium-driver)"
)
ROOT = Path(__file__).parents[2]
FLAGS = "--datasets digits --methods baseline,rul --noise 0.1 --epochs 1 --seeds 2 --jobs 1"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of four real runs and of one that failed."""
    home = tmp_path_factory.mktemp("site")
    command = [sys.executable, str(ROOT / "bench.py"), *FLAGS.split(), "--runs", "runs", "--out", "out"]
    subprocess.run(command, cwd=home, check=True, capture_output=True)
    failed = home / "runs" / "digits" / "scn" / "noise-0.10" / "seed-0-0badf00d"
    failed.mkdir(parents=True)
    (failed / "failure.json").write_text(json.dumps({"message": "x" * 300, "traceback": "y" * 300}))
    build([], [home / "runs"], home / "out")
    return home / "out"


@pytest.fixture(scope="module")
def browser(out: Path) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    # A container has neither the rights for Chromium's sandbox nor much shared memory.
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def pages(out: Path) -> list[Path]:
    return sorted(out.rglob("*.html"))


def emulate(browser: Any, width: int, scheme: str = "light", media: str = "screen") -> None:
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def test_every_page_loads_without_a_console_error_and_without_horizontal_scroll(browser: Any, out: Path) -> None:
    browser.get_log("browser")
    for width in (390, 1280):
        emulate(browser, width)
        for path in pages(out):
            browser.get(path.as_uri())
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width, path.name
            broken = "return [...document.images].filter(i => i.loading != 'lazy' && !i.naturalWidth).length"
            assert browser.execute_script(broken) == 0
    assert browser.get_log("browser") == []


def test_every_link_resolves(browser: Any, out: Path) -> None:
    known = {str(path.relative_to(out)): Page(path) for path in pages(out)}
    assert len(known) > 20 and list(broken_links(known)) == []
    # As the browser itself resolves them, from the first page on.
    browser.get((out / "index.html").as_uri())
    for link in browser.execute_script("return [...document.links].map(link => link.href)"):
        browser.get(link)
        assert browser.find_elements("css selector", "main h1"), link


def column(browser: Any, name: str) -> tuple[Any, list[str]]:
    heads = browser.find_elements("css selector", "thead tr:last-child th")
    at = next(place for place, head in enumerate(heads) if head.text.startswith(name))
    rows = browser.find_elements("css selector", "tbody tr")
    return heads[at], [row.find_elements("css selector", "th, td")[at].text for row in rows]


def test_sorting_with_the_keyboard(browser: Any, out: Path) -> None:
    emulate(browser, 1280)
    browser.get((out / "site" / "runs.html").as_uri())
    head, original = column(browser, "accuracy")
    assert head.get_attribute("aria-sort") == "none" and len(original) == 5
    button = head.find_element("css selector", "button")
    for state in ("ascending", "descending", "none"):
        browser.execute_script("arguments[0].focus()", button)
        button.send_keys("\n")
        head, values = column(browser, "accuracy")
        assert head.get_attribute("aria-sort") == state
        numbers = [float(value) for value in values if value]
        if state != "none":
            assert numbers == sorted(numbers, reverse=state == "descending") and values[-1] == ""
    assert values == original


def test_sorting_a_table_with_missing_numbers(browser: Any, out: Path) -> None:
    browser.get((out / "site" / "table1.html").as_uri())
    head, _ = column(browser, "accuracy")
    head.find_element("css selector", "button").click()
    _, values = column(browser, "accuracy")
    numbers = [float(value.split(" ")[0]) for value in values if value != "missing"]
    assert numbers == sorted(numbers) and len(numbers) >= 2
    assert values[len(numbers) :] == ["missing"] * (len(values) - len(numbers))


def test_sorting_numbers_that_show_their_deviation(browser: Any, out: Path) -> None:
    browser.get((out / "site" / "summary.html").as_uri())
    head, _ = column(browser, "accuracy")
    head.find_element("css selector", "button").click()
    _, values = column(browser, "accuracy")
    numbers = [float(value.split(" ± ")[0]) for value in values]
    assert len(numbers) >= 2 and numbers == sorted(numbers) and all(" ± " in value for value in values)


def test_filtering_the_runs(browser: Any, out: Path) -> None:
    browser.get((out / "site" / "runs.html").as_uri())
    browser.find_element("css selector", "input[data-filter]").send_keys("rul done")
    shown = [row.text for row in browser.find_elements("css selector", "tbody tr") if row.is_displayed()]
    assert len(shown) == 2 and all("rul" in text for text in shown)


def test_a_number_leads_to_its_runs_and_a_run_back(browser: Any, out: Path) -> None:
    browser.get((out / "site" / "summary.html").as_uri())
    browser.find_element("css selector", "tbody td a").click()
    assert "#runs-" in browser.current_url
    browser.find_element("css selector", "li:target a").click()
    assert "digits" in browser.title and browser.find_elements("css selector", "svg polyline, svg path")
    browser.find_element("link text", "Overview").click()
    assert browser.current_url == (out / "index.html").as_uri()


def test_light_dark_and_paper(browser: Any, out: Path) -> None:
    colour = "return getComputedStyle(document.body).backgroundColor"
    seen = []
    for scheme, media in (("light", "screen"), ("dark", "screen"), ("dark", "print")):
        emulate(browser, 1280, scheme, media)
        browser.get((out / "site" / "table1.html").as_uri())
        seen.append(sum(int(part) for part in browser.execute_script(colour).strip("rgb()").split(",")[:3]))
        assert browser.find_element("css selector", "nav").is_displayed() == (media == "screen")
    emulate(browser, 1280)
    assert seen[0] > 600 and seen[1] < 150 and seen[2] == 765
