"""Class names of sixty characters: cut with an ellipsis, whole on hover and for screen readers, over no control."""

import json
import shutil

import pytest

NAMES = [f"{kind} as worn on a rainy Sunday by people who never carry one" for kind in ("Coat", "Boot", "Tie ", "Hat ")]
PATHS = ("/", "/comparison?against=long-twin", "/insights", "/prediction?sample=0", "/slices", "/robustness", "/review",
         "/monitoring")  # fmt: skip

# Slanted labels of columns are left out as controls: their boxes are not what is seen.
# Where the visible part of a name lies on a control that it is no part of, or sticks out of the window.
CROSSED = """() => {
    const seen = (b) => b.right - b.left > 1 && b.bottom - b.top > 1;
    const cross = (a, b) => ({
        left: Math.max(a.left, b.left), right: Math.min(a.right, b.right),
        top: Math.max(a.top, b.top), bottom: Math.min(a.bottom, b.bottom),
    });
    const visible = (one) => {
        let box = one.getBoundingClientRect();
        for (let up = one.parentElement; up && up.id !== 'main'; up = up.parentElement)
            if (getComputedStyle(up).overflowX !== 'visible') box = cross(box, up.getBoundingClientRect());
        return box;
    };
    const how = {visibilityProperty: true, opacityProperty: true, contentVisibilityAuto: true};
    const shown = (one) => one.checkVisibility(how)
        && !one.closest('details:not([open]) > :not(summary)');
    const all = (query) => [...document.querySelectorAll(query)].filter((one) => seen(visible(one)) && shown(one));
    const names = all('#main *').filter((one) => !one.children.length && one.textContent.includes('never carry')
        && !one.closest('option,.js-plotly-plot,.sr,.visually-hidden'));
    const controls = all('#main :is(button,select,input,a,summary)').filter((one) => !one.closest('.selbar,.cl'));
    const words = (one) => `${one.className} ${one.textContent.slice(0, 20)}`;
    const wide = names.filter((one) => visible(one).right > innerWidth + 1).map((one) => `wide: ${words(one)}`);
    return [...wide, ...names.flatMap((name) => controls
        .filter((one) => !one.contains(name) && !name.contains(one) && seen(cross(visible(name), visible(one))))
        .map((one) => `${words(name)} over ${words(one)}`))];
}"""


def long_run(home, run_id):
    """The toy run once more, on classes with long names."""
    made = shutil.copytree(home / "runs" / "toy", home / "runs" / run_id)
    manifest = json.loads((made / "manifest.json").read_text())
    manifest["run_id"] = run_id
    manifest["dataset"] |= {"title": "Long names", "classes": NAMES[: len(manifest["dataset"]["classes"])]}
    (made / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture
def address(home, no_artifacts, serving):
    """The app on the toy run and two runs of another data set."""
    from dashboard.shell import create_app

    for run_id in ("long", "long-twin"):
        long_run(home, run_id)
    return serving(create_app(no_artifacts, home=home))


def test_a_long_name_lies_on_no_control_and_widens_no_page(address, page, idle):
    for path in PATHS:
        page.goto(f"{address}{path}{'&' if '?' in path else '?'}run=long")
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function(idle)
            page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
            page.wait_for_function(idle)
            page.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth")  # charts follow later
            assert page.evaluate(CROSSED) == [], (path, width)
