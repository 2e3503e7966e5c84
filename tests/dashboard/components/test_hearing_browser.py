"""What the browser is spared (assets/hearing.js, assets/dots.js)."""

import json
from urllib.request import urlopen

from playwright.sync_api import expect

LISTENING = "() => window.store.getState().graphs.inputMap.url.search.map((one) => one.output)"

# two changes of one go, and one within a field's own event: how often a component heard of it by then
HEARD = """async () => {
    let heard = 0;
    const end = window.store.subscribe(() => { heard += 1; });
    const say = (children) => window.dash_clientside.set_props('app-dropped', { children });
    say('one');
    say('two');
    const at_once = heard;
    await new Promise((done) => setTimeout(done));
    const after = heard, field = document.createElement('input');
    let within = null;
    field.addEventListener('input', () => { say('three'); within = heard - after; });
    field.dispatchEvent(new Event('input'));
    end();
    say('four');
    await new Promise((done) => setTimeout(done));
    return { at_once, after, within, ended: heard - after - within };
}"""


def test_callbacks_of_pages_that_are_not_there_are_left_out(shipped, page, idle):
    page.goto(shipped)
    page.wait_for_function(idle)
    with urlopen(f"{shipped}/_dash-dependencies", timeout=60) as answer:
        every = [one for one in json.load(answer) if {"id": "url", "property": "search"} in one["inputs"]]
    here = page.evaluate(LISTENING)
    assert any("dashboard-gallery-grid" in output for output in here)
    assert not [output for output in here if "insights-" in output]
    assert 5 < len(here) < len(every) / 3

    page.locator('nav a[data-page="/insights"]').click()
    expect(page.locator("h1")).to_have_text("Insights")
    page.wait_for_function(idle)
    there = page.evaluate(LISTENING)
    assert any("insights-projection" in output for output in there)
    assert not [output for output in there if "dashboard-gallery-grid" in output]


def test_components_hear_once_of_all_that_changes_in_one_go(shipped, page, idle):
    page.goto(shipped)
    page.wait_for_function(idle)
    heard = page.evaluate(HEARD)
    assert heard.pop("within") > 0
    assert heard == {"at_once": 0, "after": 1, "ended": 0}
    expect(page.locator("#app-dropped")).to_have_text("four")


# how many points are stamped while plotly draws a chart anew: as it is, and with another part of it in sight
STAMPED = """async () => {
    const chart = document.querySelector('#insights-plane-graph .js-plotly-plot');
    const pen = CanvasRenderingContext2D.prototype, stamp = pen.drawImage, numbers = [];
    let n = 0;
    pen.drawImage = function (...how) { n += 1; return stamp.apply(this, how); };
    const [from, to] = chart._fullLayout.xaxis.range;
    for (const change of [{ shapes: [] }, { 'xaxis.range': [from, (from + to) / 2] }]) {
        n = 0;
        await window.Plotly.relayout(chart, change);
        numbers.push(n);
    }
    pen.drawImage = stamp;
    return numbers;
}"""


def test_points_of_a_map_that_stay_where_they_are_are_not_painted_again(shipped, page, idle, run):
    page.goto(f"{shipped}/insights")
    page.wait_for_function(idle)
    page.locator("#insights-plane-graph canvas.dots").wait_for(state="attached")
    page.wait_for_function(idle)
    assert page.evaluate(STAMPED) == [0, len(run.predictions("test").ids)]
