"""Durations, counts and probabilities as people read them."""

from datetime import datetime


def duration(seconds: float) -> str:
    """'0.4 s', '50 s', '1 min 38 s', '41 min', '2 h 05 min'."""
    whole = max(round(seconds), 0)
    if 0 < seconds < 0.95:
        return f"{max(seconds, 0.1):.1f} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def about(seconds: float) -> str:
    """A guess, no finer than it deserves: 'under a minute', '4 min', '1 h 20 min'."""
    if seconds < 50:
        return "under a minute"
    minutes = max(round(seconds / 60), 1)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {5 * round(minutes % 60 / 5):02d} min" if minutes % 60 < 58 else f"{minutes // 60 + 1} h"


def roughly(seconds: float) -> str:
    """'about 4 min', 'under a minute'."""
    words = about(seconds)
    return words if words.startswith("under") else f"about {words}"


def clock(time: float) -> str:
    """'14:02' of today, '20 Nov 14:02' else, in the server's time zone. time: seconds since 1970."""
    then = datetime.fromtimestamp(time)
    return f"{then:%H:%M}" if then.date() == datetime.now().date() else f"{then.day} {then:%b %H:%M}"


def size(parameters: int) -> str:
    """'0.90 M', '38,154'."""
    return f"{parameters / 1e6:.2f} M" if parameters >= 100_000 else f"{parameters:,}"


def ordinal(number: int) -> str:
    """'1st', '2nd', '11th'."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def percent(probability: float) -> str:
    """'96.4' of 0.964; what would round to nothing is '<0.1', so that no class looks excluded."""
    return "<0.1" if probability < 0.0005 else f"{100 * probability:.1f}"


def milliseconds(seconds: float) -> str:
    """'0.42', '12.3', '158', '1,580': about three figures, and never a power of ten."""
    ms = 1000 * seconds
    return f"{ms:.2f}" if ms < 9.995 else f"{ms:.1f}" if ms < 99.95 else f"{ms:,.0f}"


def chance(p: float, level: float = 0.05) -> str:
    """'p < 0.001', 'p = 0.043', 'p = 1.000'; what is under the level never reads as if it were on it."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p >= level or round(p, 3) < level else f"p < {level:g}"
