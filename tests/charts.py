"""How a person's pointer meets a chart."""

from playwright.sync_api import Page


def rest_on(page: Page, chart: str, i: int, j: int, n: int = 10) -> tuple[float, float]:
    """Move the pointer onto row i, column j of a matrix of n classes until it says what it is; where that is."""
    page.locator(f"{chart} .heatmaplayer .hm").first.wait_for(state="attached")
    page.locator(chart).scroll_into_view_if_needed()
    at = (0.0, 0.0)
    for _ in range(20):  # a chart that is still being drawn changes its size and forgets that it was hovered
        box = page.locator(f"{chart} .nsewdrag").bounding_box()
        before, at = at, (box["x"] + box["width"] * (j + 0.5) / n, box["y"] + box["height"] * (i + 0.5) / n)
        page.mouse.move(at[0] - 2, at[1] - 2)
        page.mouse.move(*at)
        page.wait_for_timeout(150)
        if before == at and page.locator(f"{chart} .hovertext").count():
            break
    return at
