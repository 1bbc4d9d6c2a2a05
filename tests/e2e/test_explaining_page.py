"""The page's explanation and its what-if, in a real browser on a real service."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from serving.web.keys import Role, new_key
from tests.e2e.browsing import CHROMIUM, ask, fill_in_and_predict, probability_of
from tests.e2e.running import CLASSES, CONTRACT, SMOKER, keep, running
from tests.serving.explained_model import write_svm
from tests.serving.small_model import WITH_OTHERS

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium to drive")

ROW: dict[str, float | bool | str | None] = {"Glucose": 122, "Age": 51, SMOKER: True}
MODEL = {"name": "heart", "version": "1", "stage": "production"}
ROW_OF_OTHERS = {"Glucose": 122, "Age": 51, "Smoker": "monthly"}
LUMINANCE = """([found, behind]) => {
    const linear = (c) => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
    const luminance = (color) => {
        const channels = color.match(/[0-9.]+/g).slice(0, 3).map((text) => text / 255);
        const [r, g, b] = channels.map(linear);
        return .2126 * r + .7152 * g + .0722 * b;
    };
    const [lower, higher] = [luminance(found), luminance(behind)].sort((a, b) => a - b);
    return (higher + .05) / (lower + .05);
}"""


@pytest.fixture(scope="module")
def service(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("explained")
    with running(folder, SERVING_STORE=str(keep(CONTRACT, folder, write_svm))) as url:
        yield url


@pytest.fixture
def page(context: BrowserContext, service: str) -> Page:
    return opened(context, service)


def opened(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.goto(url)
    expect(page.locator("#fields .field").first).to_be_visible()
    return page


def explanation(service: str, row: dict[str, Any], query: str = "") -> dict[str, Any]:
    answer = requests.post(f"{service}/explain{query}", json=row, timeout=5)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["explanations"][0])


def in_words(contribution: dict[str, Any]) -> str:
    value = contribution["log_odds"]
    return f"{'raises' if value > 0 else 'lowers'} by {abs(value):.2f}"


def field(page: Page, name: str) -> Locator:
    return page.locator("#form").get_by_label(name)


def slider(page: Page) -> Locator:
    return page.locator("#what-if").get_by_role("slider")


def move(page: Page, key: str, times: int = 1) -> None:
    slider(page).focus()
    for _ in range(times):
        page.keyboard.press(key)


def figure(page: Page) -> Locator:
    return page.locator("#what-if-text .figure")


# Why ----------------------------------------------------------------------------------------


def test_each_value_has_a_bar_in_the_order_of_the_explanation(page: Page, service: str) -> None:
    contributions = explanation(service, ROW)["contributions"]
    given = {"Glucose": "122 mg/dL", "Age": "51", SMOKER: "yes"}
    fill_in_and_predict(page)
    expect(page.locator(".bars .name")).to_have_text(
        [f"{each['feature']} {given[each['feature']]}" for each in contributions]
    )
    expect(page.locator(".bars .value")).to_have_text([in_words(each) for each in contributions])
    expect(page.get_by_role("list").filter(has_text="Glucose")).to_be_visible()


def test_bars_go_from_the_middle_to_the_side_of_their_sign(page: Page, service: str) -> None:
    row = {"Glucose": 60, "Age": 70, SMOKER: True}
    contributions = explanation(service, row)["contributions"]
    assert {each["log_odds"] > 0 for each in contributions} == {True, False}
    fill_in_and_predict(page, Glucose="60", Age="70")
    expect(page.locator(".bars li")).to_have_count(3)
    largest = abs(contributions[0]["log_odds"])
    for place, each in enumerate(contributions):
        bar = page.locator(".bars .bar").nth(place)
        track, fill = bar.locator(".track").bounding_box(), bar.locator(".fill").bounding_box()
        assert track is not None
        assert fill is not None
        half = track["width"] / 2
        start = fill["x"] if each["log_odds"] > 0 else fill["x"] + fill["width"]
        assert start == pytest.approx(track["x"] + half, abs=0.6)
        assert fill["width"] / half == pytest.approx(abs(each["log_odds"]) / largest, abs=0.01)


def test_the_explanation_leads_from_the_average_to_the_answer(page: Page, service: str) -> None:
    found = explanation(service, ROW)
    fill_in_and_predict(page)
    p = page.locator("#probability").inner_text()
    expect(page.locator("#why-text")).to_have_text(
        re.compile(
            "From 0[.][0-9]{3}, the average of 30 training rows, these values take the probability "
            f"that Disease is <i>yes</i> to {p}."
        )
    )
    base, total = (f"{found[key]:.2f}".replace("-", "−") for key in ("base", "log_odds"))
    expect(page.locator("#why")).to_contain_text(f"from {base} on average they add up to {total}")
    expect(page.locator("#why")).to_contain_text("This is about the model, not about causes.")


@pytest.mark.parametrize("missing", ["", "0"])
def test_a_missing_value_says_what_is_taken_for_it(page: Page, missing: str) -> None:
    fill_in_and_predict(page, Glucose=missing)
    bar = page.locator(".bars li", has_text="Glucose")
    expect(bar.locator(".name")).to_have_text("Glucose not given (the median is taken)")


def test_a_rare_category_is_named_as_it_was_given(context: BrowserContext, tmp_path: Path) -> None:
    with running(tmp_path, SERVING_STORE=str(keep(WITH_OTHERS, tmp_path, write_svm))) as url:
        page = opened(context, url)
        page.get_by_role("button", name="Fill in a sample").click()
        field(page, "Smoker").select_option("monthly")
        page.get_by_role("button", name="Predict").click()
        bar = page.locator(".bars li", has_text="Smoker")
        expect(bar.locator(".name")).to_have_text("Smoker monthly")
        page.get_by_label("Value to change").select_option("Smoker")
        choice = page.locator("#what-if").get_by_label("Smoker was monthly")
        expect(choice).to_have_value("monthly")
        for chosen, sent in (("never", "never"), ("", None)):
            choice.select_option(chosen)
            expected = probability_of(ask(url, {**ROW_OF_OTHERS, "Smoker": sent}))
            expect(figure(page)).to_have_text(re.compile(f"→ {expected:.3f}$"))
        field(page, "Smoker").select_option("")
        page.get_by_role("button", name="Predict").click()
        expect(bar.locator(".name")).to_have_text("Smoker not given (the most frequent is taken)")


def test_of_many_features_the_smallest_are_summed(context: BrowserContext, service: str) -> None:
    names = [f"Feature {place}" for place in range(12)]
    values = [1.2 - place / 10 for place in range(9)] + [-0.25, -0.15, 0.05]

    def described(route: Route) -> None:
        found = route.fetch().json()
        like = found["contract"]["features"][1]
        found["contract"]["features"] = [{**like, "name": name} for name in names]
        route.fulfill(json=found | {"example": dict.fromkeys(names, 40)})

    def predicted(route: Route) -> None:
        prediction = {"label": "no", "probability": 0.2, "warnings": []}
        route.fulfill(json={"predictions": [prediction], "model": MODEL})

    def explained(route: Route) -> None:
        parts = [
            {"feature": n, "value": 40, "log_odds": v} for n, v in zip(names, values, strict=True)
        ]
        found = {"class": "yes", "base": -1, "log_odds": 1, "contributions": parts}
        route.fulfill(json={"explanations": [found], "model": MODEL, "background": 30})

    page = context.new_page()
    page.route("**/contract", described)
    page.route("**/predict", predicted)
    page.route("**/explain", explained)
    page.goto(service)
    fill_in_and_predict(page)
    expect(page.locator(".bars li")).to_have_count(10)
    last = page.locator(".bars li").last
    expect(last.locator(".name")).to_have_text("3 others together")
    expect(last.locator(".value")).to_have_text("lowers by 0.35")


def test_a_version_without_explanation_shows_nothing_of_it(
    context: BrowserContext, tmp_path: Path
) -> None:
    with running(tmp_path, SERVING_STORE=str(keep(CONTRACT, tmp_path))) as url:
        page = opened(context, url)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        fill_in_and_predict(page)
        expect(page.locator("#probability")).to_be_visible()
        page.wait_for_load_state("networkidle")
        expect(page.locator("#why")).to_be_hidden()
        expect(page.locator("#what-if")).to_be_hidden()
        expect(page.locator("#many-hint")).not_to_contain_text("explain")
        assert asked == [f"{url}/predict"]


def test_a_busy_service_leaves_the_answer_and_may_be_asked_again(page: Page) -> None:
    problem = {"status": 503, "detail": "Too many explanations are asked for; try again."}
    page.route("**/explain", lambda route: route.fulfill(status=503, json=problem), times=1)
    fill_in_and_predict(page)
    expect(page.locator("#why-error")).to_have_text(
        "The service cannot answer just now. Too many explanations are asked for; try again."
    )
    expect(page.locator("#probability")).to_be_visible()
    expect(page.locator("#what-if")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".bars li")).to_have_count(3)
    expect(page.locator("#why-error")).to_be_empty()
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()


@pytest.mark.parametrize("status", [403, 404, 413])
def test_what_cannot_be_explained_says_why_and_leaves_the_answer(page: Page, status: int) -> None:
    problem = {"status": status, "detail": "This cannot be explained."}
    page.route("**/explain", lambda route: route.fulfill(status=status, json=problem))
    fill_in_and_predict(page)
    expect(page.locator("#why-error")).to_have_text("This cannot be explained.")
    expect(page.locator("#probability")).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()


def test_an_explanation_by_another_version_is_not_shown(page: Page) -> None:
    def newer(route: Route) -> None:
        found = route.fetch().json()
        route.fulfill(json=found | {"model": {**MODEL, "version": "2"}})

    page.route("**/explain", newer)
    fill_in_and_predict(page)
    expect(page.locator("#why-error")).to_contain_text("Another version of the model answers")
    expect(page.locator(".bars")).to_have_count(0)


def test_an_explanation_that_comes_too_late_is_not_shown(page: Page) -> None:
    held: list[Route] = []
    page.route("**/explain", lambda route: held.append(route), times=1)
    fill_in_and_predict(page)
    expect(page.locator("#why-text")).to_have_text("The explanation is being worked out …")
    expect(page.locator("#probability")).to_be_visible()
    field(page, "Age").fill("30")
    expect(page.locator("#why")).to_be_hidden()
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".bars li", has_text="Age")).to_contain_text("Age 30")
    with page.expect_response("**/explain"):
        held[0].continue_()
    page.wait_for_timeout(100)
    expect(page.locator(".bars li", has_text="Age")).to_contain_text("Age 30")


def test_of_more_classes_the_predicted_one_is_explained_or_the_one_that_is_chosen(
    context: BrowserContext, tmp_path: Path
) -> None:
    with running(tmp_path, SERVING_STORE=str(keep(CLASSES, tmp_path, write_svm))) as url:
        page = opened(context, url)
        row = {"Glucose": 122, "Age": 51, "Smoker": True}
        predicted = ask(url, row)["predictions"][0]["label"]
        fill_in_and_predict(page)
        choice = page.get_by_label("Class to explain")
        names = {"<b>Adelie</b>": "small", "10": "of Antarctica", "9": "tall"}
        expect(choice.locator("option")).to_have_text([f"{k} ({v})" for k, v in names.items()])
        expect(choice.locator("option:checked")).to_contain_text(f"{predicted} (")
        for name in [str(predicted), *names]:
            choice.select_option(label=f"{name} ({names[name]})")
            found = explanation(url, row, f"?class={name}")["contributions"]
            expect(page.locator("#why-text")).to_contain_text(f"What speaks for {name} ")
            expect(page.locator(".bars .value")).to_have_text([in_words(each) for each in found])
            expect(page.locator(".bars .name strong")).to_have_text([f["feature"] for f in found])
        page.get_by_label("Value to change").select_option("Age")
        move(page, "Home")
        after = ask(url, {**row, "Age": 21})["predictions"][0]["probabilities"][str(predicted)]
        expect(figure(page)).to_have_text(re.compile(f"→ {after:.3f}$"))


def test_the_key_goes_with_explanations(
    context: BrowserContext, browser: Browser, tmp_path: Path
) -> None:
    secret, key = new_key("frontend", [Role.PREDICT])
    (tmp_path / "keys").write_text(f"{key}\n")
    store = str(keep(CONTRACT, tmp_path, write_svm))
    with running(tmp_path, SERVING_STORE=store, SERVING_API_KEYS_FILE="keys") as url:
        page = context.new_page()
        page.goto(url)
        page.get_by_label("API key").fill(secret)
        page.keyboard.press("Enter")
        fill_in_and_predict(page)
        expect(page.locator(".bars li")).to_have_count(3)
        page.evaluate("sessionStorage.setItem('api-key', 'withdrawn')")
        move(page, "ArrowLeft")
        expect(page.locator("#key-error")).to_have_text("The key is not one of this service's.")


# What if ------------------------------------------------------------------------------------


def test_a_slider_moves_probability_and_decision_and_is_reset(page: Page, service: str) -> None:
    before = probability_of(ask(service, ROW))
    fill_in_and_predict(page)
    expect(figure(page)).to_have_text(f"{before:.3f}")
    expect(page.get_by_role("button", name="Reset")).to_be_disabled()
    slider(page).fill("0")
    answer = ask(service, {**ROW, "Glucose": 44})
    after = probability_of(answer)
    assert after < 0.4 <= before
    expect(figure(page)).to_have_text(f"{before:.3f} → {after:.3f}")
    expect(page.locator("#varied-value")).to_have_text("44 mg/dL")
    expect(page.locator("#what-if-text")).to_contain_text(
        "The probability that Disease is <i>yes</i> falls."
    )
    expect(page.locator("#what-if-text .label")).to_have_text(
        "Predicted: Disease is no instead of <i>yes</i>"
    )
    expect(page.locator("#probability")).to_have_text(f"{before:.3f}")
    page.get_by_role("button", name="Reset").click()
    expect(figure(page)).to_have_text(f"{before:.3f}")
    expect(page.locator("#varied-value")).to_have_text("122 mg/dL")
    expect(page.locator("#what-if-text .label")).to_have_text("Predicted: Disease is <i>yes</i>")
    expect(slider(page)).to_be_focused()


def test_arrow_keys_move_a_slider_by_whole_steps_and_say_where_it_is(
    page: Page, service: str
) -> None:
    before = probability_of(ask(service, ROW))
    fill_in_and_predict(page)
    page.get_by_label("Value to change").select_option("Age")
    expect(slider(page)).to_have_accessible_name("Age was 51")
    move(page, "ArrowRight", 3)
    expect(slider(page)).to_have_attribute("aria-valuetext", "54")
    after = probability_of(ask(service, {**ROW, "Age": 54}))
    expect(figure(page)).to_have_text(f"{before:.3f} → {after:.3f}")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    move(page, "End")
    expect(page.locator("#varied-value")).to_have_text("81")
    move(page, "Home")
    expect(page.locator("#varied-value")).to_have_text("21")


@pytest.mark.parametrize(
    ("given", "was", "after_one_step"),
    [
        ("", "not given", "120 mg/dL"),
        ("0", "not given", "120 mg/dL"),
        ("300", "300 mg/dL", "198 mg/dL"),
        ("122.5", "122.5 mg/dL", "122 mg/dL"),
    ],
)
def test_a_slider_starts_at_the_value_that_was_given(
    page: Page, given: str, was: str, after_one_step: str
) -> None:
    fill_in_and_predict(page, Glucose=given)
    expect(slider(page)).to_have_accessible_name(f"Glucose was {was}")
    expect(page.locator("#varied-value")).to_have_text(was)
    move(page, "ArrowLeft")
    expect(page.locator("#varied-value")).to_have_text(after_one_step)


def test_a_late_answer_does_not_overwrite_a_newer_one(page: Page, service: str) -> None:
    before = probability_of(ask(service, ROW))
    fill_in_and_predict(page)
    expect(figure(page)).to_be_visible()
    held: list[Route] = []
    page.route("**/predict", lambda route: held.append(route), times=1)
    with page.expect_request("**/predict"):
        slider(page).fill("0")
    move(page, "End")
    expected = f"{before:.3f} → {probability_of(ask(service, {**ROW, 'Glucose': 199})):.3f}"
    expect(figure(page)).to_have_text(expected)
    with page.expect_response("**/predict"):
        held[0].continue_()
    page.wait_for_timeout(100)
    expect(figure(page)).to_have_text(expected)


def test_moves_in_quick_succession_are_one_request(page: Page) -> None:
    fill_in_and_predict(page)
    expect(figure(page)).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(
        """() => {
            const slider = document.querySelector("#variation");
            for (let i = 0; i < 20; i += 1) {
                slider.value = i;
                slider.dispatchEvent(new Event("input"));
            }
        }"""
    )
    expect(figure(page)).to_contain_text("→")
    assert len(asked) == 1


def test_a_yes_or_no_is_varied_by_a_choice(page: Page, service: str) -> None:
    before = probability_of(ask(service, ROW))
    fill_in_and_predict(page)
    page.get_by_label("Value to change").select_option(SMOKER)
    choice = page.locator("#what-if").get_by_label(f"{SMOKER} was yes")
    expect(choice.locator("option")).to_have_text(["yes", "no"])
    choice.select_option("no")
    after = probability_of(ask(service, {**ROW, SMOKER: False}))
    expect(figure(page)).to_have_text(f"{before:.3f} → {after:.3f}")
    page.get_by_role("button", name="Reset").click()
    expect(choice).to_have_value("true")
    expect(figure(page)).to_have_text(f"{before:.3f}")


def test_a_changed_form_starts_the_what_if_anew(page: Page) -> None:
    fill_in_and_predict(page)
    move(page, "Home")
    expect(figure(page)).to_contain_text("→")
    field(page, "Age").fill("30")
    expect(page.locator("#what-if")).to_be_hidden()
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#varied-value")).to_have_text("122 mg/dL")
    expect(figure(page)).not_to_contain_text("→")


def test_a_what_if_without_an_answer_says_so_and_goes_on(page: Page, service: str) -> None:
    fill_in_and_predict(page)
    expect(figure(page)).to_be_visible()
    page.route("**/predict", lambda route: route.abort(), times=1)
    move(page, "Home")
    expect(page.locator("#what-if-error")).to_have_text("The service cannot be reached.")
    expect(page.locator("#probability")).to_be_visible()
    move(page, "End")
    expect(figure(page)).to_contain_text("→")
    expect(page.locator("#what-if-error")).to_be_empty()


def test_a_what_if_compares_no_two_versions(page: Page) -> None:
    fill_in_and_predict(page)
    expect(figure(page)).to_be_visible()

    def newer(route: Route) -> None:
        found = route.fetch().json()
        route.fulfill(json=found | {"model": {**MODEL, "version": "2"}})

    page.route("**/predict", newer)
    move(page, "Home")
    expect(page.locator("#what-if-error")).to_contain_text("Another version of the model answers")
    expect(figure(page)).to_have_count(0)


def test_a_feature_without_a_range_has_no_slider(context: BrowserContext, tmp_path: Path) -> None:
    glucose, age, smoker = CONTRACT.features
    unlimited = {"training_range": None, "minimum": None}
    contract = msgspec.structs.replace(
        CONTRACT,
        features=(
            msgspec.structs.replace(glucose, **unlimited),
            msgspec.structs.replace(age, training_range=(10, 300)),
            smoker,
        ),
    )
    with running(tmp_path, SERVING_STORE=str(keep(contract, tmp_path, write_svm))) as url:
        page = opened(context, url)
        page.get_by_role("button", name="Fill in a sample").click()
        field(page, "Age").fill("51")
        page.get_by_role("button", name="Predict").click()
        expect(page.get_by_label("Value to change").locator("option")).to_have_text(["Age", SMOKER])
        for key, end in (("Home", "18"), ("End", "120")):  # the limits are narrower
            move(page, key)
            expect(page.locator("#varied-value")).to_have_text(end)


# How it looks -------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_nothing_scrolls_sideways(context: BrowserContext, service: str, width: int) -> None:
    page = opened(context, service)
    page.set_viewport_size({"width": width, "height": 700})
    fill_in_and_predict(page, Glucose="")
    expect(page.locator(".bars li")).to_have_count(3)
    move(page, "Home")
    expect(figure(page)).to_contain_text("→")
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_bars_and_texts_stand_out_in_light_and_dark(
    browser: Browser, service: str, scheme: Any
) -> None:
    context = browser.new_context(color_scheme=scheme)
    page = opened(context, service)
    fill_in_and_predict(page, Glucose="60", Age="70")
    expect(page.locator(".bars li")).to_have_count(3)

    def style(selector: str, name: str) -> str:
        read = "(found, name) => getComputedStyle(found)[name]"
        return str(page.locator(selector).first.evaluate(read, name))

    card, track = style("#why", "backgroundColor"), style(".bars .track", "fill")
    raises, lowers = style(".bars .raises .fill", "fill"), style(".bars .lowers .fill", "fill")
    # WCAG 2.2: 3 for what is not text, 4.5 for text.
    for found, behind in [(raises, track), (lowers, track), (raises, card), (lowers, card)]:
        assert page.evaluate(LUMINANCE, [found, behind]) >= 3
    for selector in [
        "#why-text",
        "#why .hint",
        ".bars .value",
        "#what-if .unit",
        "#what-if output",
    ]:
        assert page.evaluate(LUMINANCE, [style(selector, "color"), card]) >= 4.5
    assert raises != lowers
    context.close()
