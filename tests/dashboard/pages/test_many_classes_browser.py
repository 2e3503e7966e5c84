"""Twenty classes: each number of the matrix's margin in its own place, each name of the scores within its card."""

import pytest

# text that lies on the text beside it, of the numbers below the matrix; names of the scores that leave their card
RUN_TOGETHER = """() => {
    const inside = (one) => { const range = document.createRange(); range.selectNodeContents(one);
                              return range.getBoundingClientRect(); };
    const below = [...document.querySelectorAll('.cm .mg.b')].map(inside);
    const crossed = below.slice(1).filter((box, i) => box.left < below[i].right - 0.5).length;
    const card = document.querySelector('.scores').getBoundingClientRect();
    const out = [...document.querySelectorAll('.strip .name')].map((one) => one.getBoundingClientRect())
        .filter((box) => box.left < card.left || box.right > card.right).length;
    return [below.length, crossed, out];
}"""


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A run on twenty classes."""
    from ml.pipeline import train
    from ml.training.config import TrainConfig

    home = tmp_path_factory.mktemp("many")
    config = TrainConfig(model="mlp", dataset="synthetic-20-28x28x1", epochs=1, threads=1)
    train(config, run_id="many", home=home, slow=False, record=False)
    return home


@pytest.mark.parametrize("width", [1440, 390])
def test_twenty_numbers_below_the_matrix_stand_apart(many, no_artifacts, serving, new_page, idle, width):
    from dashboard.shell import create_app

    page = new_page(viewport={"width": width, "height": 900})
    page.goto(f"{serving(create_app(no_artifacts, home=many))}/?run=many", wait_until="networkidle")
    page.locator(".cm").scroll_into_view_if_needed()
    page.wait_for_function(idle)
    page.wait_for_function("document.querySelectorAll('.cm .mg.b').length > 0")
    assert page.evaluate(RUN_TOGETHER) == [20, 0, 0]
