"""Twenty classes of long names: labels and numbers of the matrix in their own places, each score within its card."""

import json

import pytest

KINDS = ("retriever", "wheaten terrier", "yellow leaf curl virus", "albatross")
NAMES = [f"Chesapeake Bay {KINDS[i % 4]} of kind {i:02}" for i in range(20)]

# text that lies on the text beside it, of the numbers below the matrix; names of the scores that leave their card
RUN_TOGETHER = """() => {
    const inside = (one) => { const range = document.createRange(); range.selectNodeContents(one);
                              return range.getBoundingClientRect(); };
    const below = [...document.querySelectorAll('.cm .mg.b')].map(inside).filter((box) => box.width);
    const crossed = below.slice(1).filter((box, i) => box.left < below[i].right - 0.5).length;
    const card = document.querySelector('.scores').getBoundingClientRect();
    const out = [...document.querySelectorAll('.strip .name')].map((one) => one.getBoundingClientRect())
        .filter((box) => box.left < card.left || box.right > card.right).length;
    return [document.querySelectorAll('.cm .mg.b').length, crossed, out];
}"""

# What the slanted labels above the columns lie on, as they are seen: quadrilaterals, not the boxes around them.
SLANTED = """() => {
    const corners = (l, t, r, b) => [[l, t], [r, t], [r, b], [l, b]];
    const boxed = (one) => {  // of text, as far as there is any
        const range = document.createRange(); range.selectNodeContents(one);
        const b = (one.matches('.axis, .mg, .rl') ? range : one).getBoundingClientRect();
        return corners(b.left, b.top, b.right, b.bottom);
    };
    const slanted = (one) => {
        const style = getComputedStyle(one), turn = new DOMMatrix(style.transform);
        const [x, y] = style.transformOrigin.split(' ').map(parseFloat);
        const home = one.offsetParent.getBoundingClientRect();
        const pad = parseFloat(style.paddingTop);
        return corners(0, pad, one.offsetWidth, one.offsetHeight - pad).map(([px, py]) => {
            const moved = turn.transformPoint(new DOMPoint(px - x, py - y));
            return [home.left + one.offsetLeft + x + moved.x, home.top + one.offsetTop + y + moved.y];
        });
    };
    const apart = (a, b) => [a, b].some((shape) => shape.some(([x, y], i) => {
        const [nx, ny] = shape[(i + 1) % shape.length], along = [ny - y, x - nx];
        const reach = (points) => points.map(([px, py]) => (px * along[0] + py * along[1]) / Math.hypot(...along));
        const [one, other] = [reach(a), reach(b)];
        return Math.max(...one) <= Math.min(...other) + 0.5 || Math.max(...other) <= Math.min(...one) + 0.5;
    }));
    const cm = document.querySelector('.cm'), card = cm.closest('article');
    const labels = [...cm.querySelectorAll('.cl span')], shapes = labels.map(slanted), wrong = [];
    shapes.forEach((shape, i) => {
        if (i && !apart(shapes[i - 1], shape)) wrong.push(`${labels[i].textContent} on the one before`);
        const edge = card.getBoundingClientRect();
        if (shape.some(([x, y]) => x > edge.right || x < edge.left || y < edge.top)) wrong.push('out of its card');
    });
    const beside = 'h2, h3, .way, .seg button, .help, .cm .rl, .cm .mg, .cm .axis, .cm .plot, .toplist';
    const others = [...card.querySelectorAll(beside)];
    for (const one of others.filter((other) => other.checkVisibility())) {
        const hit = shapes.findIndex((shape) => !apart(shape, boxed(one)));
        if (hit >= 0) wrong.push(`${labels[hit].textContent} on ${one.className} ${one.textContent.slice(0, 20)}`);
    }
    return [labels.length, wrong];
}"""


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A run on twenty classes."""
    from ml.pipeline import train
    from ml.training.config import TrainConfig

    home = tmp_path_factory.mktemp("many")
    config = TrainConfig(model="mlp", dataset="synthetic-20-28x28x1", epochs=1, threads=1)
    train(config, run_id="many", home=home, slow=False, record=False)
    manifest = json.loads((home / "runs" / "many" / "manifest.json").read_text())
    manifest["dataset"]["classes"] = NAMES
    (home / "runs" / "many" / "manifest.json").write_text(json.dumps(manifest))
    return home


@pytest.mark.parametrize("width", [1440, 390])
def test_labels_and_numbers_around_the_matrix_stand_apart(many, no_artifacts, serving, new_page, idle, width):
    from dashboard.shell import create_app

    page = new_page(viewport={"width": width, "height": 900})
    page.goto(f"{serving(create_app(no_artifacts, home=many))}/?run=many", wait_until="networkidle")
    page.locator(".cm").scroll_into_view_if_needed()
    page.wait_for_function(idle)
    page.wait_for_function("document.querySelectorAll('.cm .mg.b').length > 0")
    assert page.evaluate(RUN_TOGETHER) == [20, 0, 0]
    assert page.evaluate(SLANTED) == [20, []]
