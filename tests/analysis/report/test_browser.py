"""The page in a real browser: no request, no error, and everything a reader may do with it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from bnstudy.analysis.report import write_page, write_report, write_waiting
from bnstudy.analysis.responses import counted
from bnstudy.analysis.results import Results
from bnstudy.study.study import Study

from tests.synthetic import make_dataset

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None and not os.environ.get("CI"):
    pytest.skip("no chromium here (Debian's package has that name)", allow_module_level=True)

sync_api = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dataset():
    return make_dataset(seeds=8, diverged=3, pending=1)


@pytest.fixture(scope="module")
def address(dataset, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("page")
    said = {"title": "Ça va? <b>5 > 3</b>", "study": "question = 'Does it?'", "study_hash": ""}
    dataset.assign_attrs(said).to_netcdf(folder / "made-up.nc")
    return write_report(folder / "made-up.nc").as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser, address):
    """The page opened from disk; it fails if anything else is asked for, or anything goes wrong in it."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    opened = context.new_page()
    amiss: list[str] = []
    opened.on("console", lambda message: amiss.append(message.text))
    opened.on("pageerror", lambda error: amiss.append(str(error)))
    opened.on("request", lambda request: amiss.append(request.url) if not request.url.startswith("data:") else None)
    opened.goto(address)
    yield opened
    context.close()
    assert amiss == [address]


def column(page: sync_api.Page, number: int) -> list[str]:
    return page.locator(f"#table tbody tr:visible td:nth-child({number})").all_inner_texts()


def test_the_verdict_stands_on_the_first_screen(page):
    assert page.title() == "Ça va? <b>5 > 3</b>"
    box = page.locator(".sentence").first.bounding_box()
    assert box["y"] < 400


def test_cells_are_sorted_by_a_click(page):
    header = page.locator("#table th", has_text="final accuracy")
    for wanted, reverse in (("ascending", False), ("descending", True)):
        header.locator("button").click()
        assert header.get_attribute("aria-sort") == wanted
        means = [float(text.split()[0]) for text in column(page, 5)]
        assert means == sorted(means, reverse=reverse)
    assert page.locator("#table [aria-sort=descending]").count() == 1


def test_cells_are_filtered_by_words(page):
    page.fill("#filter", "cnn batch poor")
    assert page.locator("#table tbody tr:visible").count() == 2
    assert page.locator("#shown").inner_text() == "2 of 16 cells"
    page.fill("#filter", "no such cell")
    assert page.locator("#table tbody tr:visible").count() == 0


def test_a_click_shows_a_cells_curves_and_their_values(page, dataset):
    page.locator("#table tbody tr", has_text="scaled-normal:0.01").nth(2).locator("button").click()
    assert page.locator("#plot-title").inner_text().startswith("cnn, scaled-normal:0.01 (poor): test accuracy")
    assert page.locator("#table tr.chosen").count() == 2
    plot = page.locator("#plot")
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.95, box["y"] + 50)
    cell = 100 * counted(dataset, "test_accuracy").sel(model="cnn", init="scaled-normal:0.01", epoch=6).squeeze()
    means = [float(f"{float(cell.sel(norm=norm).mean()):.4g}") for norm in ("none", "batch")]
    reading = page.locator("#reading").inner_text()
    assert reading.startswith("epoch 6: ")
    assert f"without BN {means[0]:g} %" in reading
    assert f"with BN {means[1]:g} %" in reading
    page.select_option("#kind", label="training loss (nat)")
    assert "training loss" in page.locator("#plot-title").inner_text()
    assert plot.locator("path").count() == 2 * 2 + 1


def test_values_are_read_by_keyboard(page):
    page.locator("#plot").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.locator("#reading").inner_text().startswith("epoch 2: ")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#reading").inner_text().startswith("epoch 1: ")


def test_figures_and_controls_have_names(page):
    for kind in ("img", "svg#plot", "input", "select", "table"):
        for found in page.locator(f"main {kind}").all():
            name = found.evaluate(
                "e => e.alt || e.ariaLabel || (e.labels && e.labels.length && e.labels[0].textContent) ||"
                "(e.caption && e.caption.textContent) ||"
                "document.getElementById(e.getAttribute('aria-labelledby')).textContent"
            )
            assert name and name.strip(), kind  # noqa: PT018
    assert all(width > 100 for width in page.locator("main img").evaluate_all("all => all.map(i => i.naturalWidth)"))


SCREENS = {
    "desktop": {"viewport": {"width": 1200, "height": 900}},
    "dark": {"viewport": {"width": 1200, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True},
    "small dark phone": {"viewport": {"width": 320, "height": 640}, "is_mobile": True, "color_scheme": "dark"},
    "print": {"viewport": {"width": 1200, "height": 900}},
}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice", "wcag22aa"]  # the last: targets of a finger


@pytest.mark.parametrize("screen", SCREENS)
def test_axe_finds_nothing(browser, address, screen):
    context = browser.new_context(**SCREENS[screen])
    opened = context.new_page()
    opened.goto(address)
    opened.emulate_media(media="print" if screen == "print" else "screen")
    opened.evaluate("document.querySelectorAll('details').forEach((one, i) => { one.open = i % 2 === 0 })")
    opened.evaluate("document.querySelector('.enlarge').click()")
    found = (
        axe.Axe().run(opened, options={"runOnly": RULES[: -1 if screen == "print" else None]}).response["violations"]
    )
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    context.close()


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("width", [320, 390, 768])
def test_a_phone_scrolls_no_page_sideways(browser, address, width, scripts):
    """And on it nothing lies aside: not with scripts, and without but for the cells, of which that is said."""
    context = browser.new_context(viewport={"width": width, "height": 740}, is_mobile=True, java_script_enabled=scripts)
    opened = context.new_page()
    opened.goto(address)
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    aside = opened.locator(".wide").evaluate_all(
        "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.getAttribute('aria-label'))"
    )
    if width < 700:
        assert aside == ([] if scripts else ["Table of cells"])
        assert opened.locator("#hint").is_visible() != scripts
    context.close()


def test_a_card_tells_each_number_by_its_column(browser, address):
    context = browser.new_context(**SCREENS["phone"])
    opened = context.new_page()
    opened.goto(address)
    for table in ("#verdicts", "#table"):
        assert opened.locator(f"{table} thead").count() == 1
        last = opened.locator(f"{table} tbody tr").last.locator("td").last
        assert last.evaluate("e => getComputedStyle(e, '::before').content").startswith('"verdict')
        assert opened.get_by_role("row").count() > 10  # a table still, to whoever hears it
    opened.locator("#table th button", has_text="gain").click()
    assert opened.locator("#table [aria-sort=ascending]").inner_text().startswith("gain")
    context.close()


def test_a_figure_is_enlarged_by_a_tap_without_scripts(browser, address):
    context = browser.new_context(**SCREENS["phone"], java_script_enabled=False, has_touch=True)
    opened = context.new_page()
    opened.goto(address)
    image = opened.locator("main img").first
    small = image.bounding_box()["width"]
    assert small <= 390
    image.tap()
    assert image.bounding_box()["width"] > 900
    assert opened.evaluate("document.documentElement.scrollWidth") == 390
    opened.locator(".enlarge").first.press("Space")
    assert image.bounding_box()["width"] == small
    context.close()


def test_every_figure_has_its_numbers_beside_it(page):
    for figure in page.locator("main figure:has(img)").all():
        image, numbers = figure.locator("img"), figure.locator("details")
        assert any(letter.isdigit() for letter in image.get_attribute("alt"))
        assert image.get_attribute("aria-details") == numbers.get_attribute("id")
        assert not numbers.locator("table").is_visible()
        numbers.locator("summary").press("Enter")
        assert numbers.locator("table").is_visible()
        assert numbers.locator("tbody tr").count() >= 1


def test_tab_goes_through_the_page_and_shows_where_it_is(page):
    """From the link that skips to the answer to the last control: every stop is seen, and none keeps the focus."""
    page.evaluate("document.body.tabIndex = -1; document.body.focus()")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    stops = []
    for _ in range(400):
        stop = page.evaluate("(window.stops ??= []).push(document.activeElement)")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        stops.append(stop)
        assert outline != "none", page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body || window.stops.includes(document.activeElement)"):
            break
    controls = page.locator("a, button, summary, select, #filter, #plot, [role=region]").evaluate_all(
        "all => all.filter(e => e.checkVisibility()).length"
    )
    assert len(stops) >= controls


def luminance(colour: str) -> float:
    channels = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(browser, address, scheme):
    """WCAG's contrast of 4.5 between every kind of text and the page."""
    context = browser.new_context(color_scheme=scheme)
    opened = context.new_page()
    opened.goto(address)
    paper = luminance(opened.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (paper > 0.9) == (scheme == "light")
    for place in ("h1", ".question", ".sentence", ".note", "a", "td", "th", "figcaption", "dd", "footer", ".verdict"):
        ink = luminance(opened.locator(place).first.evaluate("e => getComputedStyle(e).color"))
        assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) >= 4.5, place
    context.close()


def test_without_javascript_all_is_there_and_no_dead_control(browser, address):
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(address)
    assert opened.locator("#table tbody tr").count() == 16
    assert opened.locator("main img").count() >= 9
    for control in ("#filter", "#kind", "#viewer"):
        assert not opened.locator(control).is_visible()
    assert "need JavaScript" in opened.locator("noscript").inner_text()
    context.close()


def test_print_leaves_the_controls_out(page):
    page.emulate_media(media="print")
    for control in ("#filter", "#viewer", "nav"):
        assert not page.locator(control).is_visible()
    assert page.locator("#table").is_visible()
    assert not page.locator(".numbers").first.is_visible()  # nobody can open it on paper
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("img").first.evaluate("e => getComputedStyle(e).filter") == "none"
    assert len(page.pdf(format="A4")) > 50_000


def test_two_figures_fit_a_sheet_and_a_header_stands_on_each(page):
    page.emulate_media(media="print")
    sheet = page.evaluate("innerHeight")
    heights = page.evaluate("[...document.querySelectorAll('figure img')].map(e => e.getBoundingClientRect().height)")
    assert heights
    assert max(heights) < 0.4 * sheet
    # A button is not drawn in a header that is repeated; its text is.
    assert page.evaluate("getComputedStyle(document.querySelector('#table thead button')).display") == "contents"


@pytest.mark.parametrize("waits", [True, False], ids=["no run yet", "some runs"])
def test_a_page_of_a_study_in_training_reloads_itself_until_all_is_there(
    browser, dataset, tmp_path, monkeypatch, waits
):
    """From disk; and not under the hands of somebody who types into it."""
    monkeypatch.setattr("bnstudy.analysis.report.page._pictures", lambda results: [])
    target, half = tmp_path / "page.html", dataset.assign_attrs(runs_finished=5, runs_planned=128)
    if waits:
        write_waiting(Study.make({}), "0 of 128 runs so far", target)
    else:
        write_page(Results(half), target, reloads=True)
    opened = browser.new_page()
    opened.clock.install()
    opened.goto(target.as_uri())
    assert f"{0 if waits else 5} of 128 runs so far. " in opened.locator(".so-far").inner_text()
    assert not axe.Axe().run(opened).response["violations"]
    write_page(Results(half.assign_attrs(runs_finished=100)), target, reloads=True)
    if not waits:
        opened.focus("#filter")
        opened.clock.run_for(40_000)
        assert "5 of 128 runs" in opened.locator(".so-far").inner_text()
        opened.locator("#filter").blur()
    opened.clock.run_for(16_000)
    opened.get_by_text("100 of 128 runs so far.", exact=False).first.wait_for()
    write_page(Results(dataset), target)
    opened.clock.run_for(16_000)
    opened.locator(".so-far").wait_for(state="detached")
    write_page(Results(half), target)
    opened.clock.run_for(60_000)
    assert opened.locator(".so-far").count() == 0
    opened.close()
